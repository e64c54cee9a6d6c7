// Time as a clock shows it, the same in every language.

/** Minutes and seconds. */
export function clock(ms) {
  const all = Math.floor(ms / 1000);
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
}
