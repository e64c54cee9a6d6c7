// The transcript as files.

import { pieces } from "./words.js";

const LINE = 42; // characters, as subtitlers have it
const LONGEST_S = 7;
const PAUSE_S = 1;

/** A paragraph a final. */
export function txt(finals) {
  return finals.map((final) => `${final.text}\n`).join("");
}

/** SubRip: cues of at most two lines, cut between words where their times are known. */
export function srt(finals) {
  return finals
    .filter((final) => final.text)
    .flatMap(cues)
    .map(({ start, end, text }, i) => `${i + 1}\n${stamp(start)} --> ${stamp(end)}\n${lines(text)}\n`)
    .join("\n");
}

/** A final's cues: `[{start, end, text}]`, in seconds. */
export function cues({ text, words, start, duration }) {
  if (!words.length) return [{ start, end: start + duration, text }];
  const found = [];
  let cue = null;
  let lead = ""; // text before a cue's first word
  for (const piece of pieces(text, words)) {
    if (piece.word) {
      const { start: from, end: to } = piece.word;
      if (cue && !fits(cue, piece, from, to)) {
        found.push(cue);
        cue = null;
      }
      cue ??= { start: from, end: to, text: lead };
      cue.end = to;
      lead = "";
    }
    if (cue) cue.text += piece.text;
    else lead += piece.text;
  }
  if (cue) found.push(cue);
  return found.map((one) => ({ start: start + one.start, end: start + one.end, text: one.text.trim() }));
}

function fits(cue, piece, from, to) {
  const length = cue.text.length + piece.text.length;
  const sentence = /[.!?…]\s*$/.test(cue.text) && length > LINE;
  const apart = /\s$/.test(cue.text); // not inside a compound
  return !apart || (length <= 2 * LINE && to - cue.start <= LONGEST_S && from - cue.end <= PAUSE_S && !sentence);
}

function lines(text) {
  if (text.length <= LINE) return text;
  const breaks = [...text.matchAll(/\s/g)].map((space) => space.index);
  const middle = breaks.sort((a, b) => Math.abs(a - text.length / 2) - Math.abs(b - text.length / 2))[0];
  return middle === undefined ? text : `${text.slice(0, middle)}\n${text.slice(middle + 1)}`;
}

function stamp(seconds) {
  const ms = Math.round(seconds * 1000);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  return `${two(ms / 3600000)}:${two((ms / 60000) % 60)}:${two((ms / 1000) % 60)},${String(ms % 1000).padStart(3, "0")}`;
}
