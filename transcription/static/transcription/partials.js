// Utterances without a final: what was heard of them so far, on the page.

import { make } from "./make.js";

const pending = document.getElementById("pending");
const open = new Map(); // segment_id: {segment, line, text, start, end, lang}
const before = []; // the same, of a session that is gone; until the next one, which hears it again, says something

/** What later partials keep, dark; the rest, grey. `start`: where its speech began, seconds. Returns the line. */
export function show({ segment_id: segment, text, stable_text: stable = "", audio_end_ms: end }, start, lang) {
  forget(before.splice(0));
  if (!open.has(segment)) open.set(segment, { segment, line: pending.appendChild(make("p", { className: "partial" })), start });
  const found = open.get(segment);
  const sure = text.startsWith(stable) ? stable : "";
  Object.assign(found, { text, lang, end: Math.max(found.start, end / 1000) });
  found.line.lang = lang;
  found.line.dataset.segment = segment;
  found.line.classList.remove("waiting");
  found.line.replaceChildren(make("span", { className: "stable" }, sure), make("span", { className: "unstable" }, text.slice(sure.length)));
  return found.line;
}

/** It has its final. */
export function drop(segment) {
  forget(before.splice(0));
  take(segment);
}

/** The connection was lost and is there again: this is heard again, by the session that was resumed or by a new one. */
export function wait(resumed) {
  for (const { line } of open.values()) line.classList.add("waiting");
  if (resumed) return;
  before.push(...open.values());
  open.clear();
}

/** Takes one off the page, or all; returns what was heard: `[{segment, text, start, end, lang}]`, in order. */
export function take(segment = null) {
  const taken = segment ? [open.get(segment)].filter(Boolean) : [...before.splice(0), ...open.values()];
  if (segment) open.delete(segment);
  else open.clear();
  forget(taken);
  return taken.map(({ line, ...heard }) => heard);
}

function forget(entries) {
  for (const { line } of entries) line.remove();
}
