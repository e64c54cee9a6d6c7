// Browsers do not tell why a WebSocket was not opened: ask the service what it can say.

/** Whether the service wants a key: "required" or "off". Raises TypeError when it does not answer. */
export async function askAuth() {
  const response = await fetch("./", { headers: { Accept: "application/json" }, cache: "no-store" });
  return (await response.json()).auth;
}

const FULL = ["MAX_SESSIONS_REACHED", "QUEUE_FULL", "QUEUE_CONGESTION"];

/** Why no session came about: unreachable, keyWanted, keyRefused, notReady, full, refused or shut. */
export async function diagnose(outcome, key) {
  if (outcome.kind === "refused" && !FULL.includes(outcome.code)) return "refused";
  try {
    if (outcome.kind === "shut" && (await askAuth()) === "required") return key ? "keyRefused" : "keyWanted";
    if (!(await fetch("health/ready", { cache: "no-store" })).ok) return "notReady";
  } catch {
    return "unreachable";
  }
  return outcome.kind === "refused" ? "full" : "shut";
}
