// The transcript as files. Subtitles follow the rule that transcription/core/subtitles.py explains, step by step.

import { pieces } from "./words.js";

const LINE_CHARS = 42;
const LONGEST_MS = 7000;
const SHORTEST_MS = 833;
const GAP_MS = 83;
const CLOSE_MS = 500; // gaps up to here are closed
const LINGER_MS = 500; // for reading, beyond the last word
const PAUSE_MS = 1000;
const CHARS_PER_S = 17;

const WORD = new RegExp(`[^\\s\\x1c-\\x1f\\x85\\ufeff]{1,${LINE_CHARS}}`, "gu"); // white space of Python and of JavaScript
const CLAUSE = /[,;:–—.?!…]["'”»)\]]*$/;
const SENTENCE = /[.?!…]["'”»)\]]*$/;

/** One line a final; none for those without text. */
export function txt(finals) {
  return finals.filter((final) => final.text).map((final) => `${final.text}\n`).join("");
}

/** SubRip. Finals are `{text, words, start, duration}`, in seconds. */
export function srt(finals) {
  return cues(finals)
    .map(({ start, end, lines }, i) => `${i + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${lines.join("\n")}\n`)
    .join("\n");
}

/** WebVTT. Escaped, so that speech is neither markup nor the end of a cue. */
export function vtt(finals) {
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const blocks = cues(finals).map(
    ({ start, end, lines }) => `${clock(start, ".")} --> ${clock(end, ".")}\n${escaped(lines.join("\n"))}\n`,
  );
  return ["WEBVTT\n", ...blocks].join("\n");
}

/** As the command line has it, with what else the page knows of a final. Times are seconds from the first session's start. */
export function json(finals) {
  const at = (seconds) => Math.round(seconds * 1000) / 1000;
  const segments = finals.map(({ text, words, start, duration, confidence, lang, timing, unfinished }) => ({
    start: at(start),
    end: at(start + duration),
    text,
    lang_code: lang,
    ...(unfinished ? { unfinished } : { confidence, timing }),
    words: words.map(({ word, start: from, end: to, probability }) => ({ word, start: at(start + from), end: at(start + to), probability })),
  }));
  const text = finals.map((final) => final.text).filter(Boolean).join(" ");
  return `${JSON.stringify({ text, segments }, null, 2)}\n`;
}

/** Cues that do not overlap, in order: `[{start, end, lines}]`, in ms. */
function cues(finals) {
  const groups = finals.flatMap((final) => passages(timed(final)).flatMap(cut));
  let free = 0;
  return groups.map((words, i) => {
    const start = Math.max(words[0].start, free);
    const end = goes(start, words, groups[i + 1]);
    free = end + GAP_MS;
    return { start, end, lines: lines(words) };
  });
}

/** What stands between spaces, and when it is said: `[{text, start, end}]`, in ms from the start of the session. */
function timed({ text, words, start, duration }) {
  const marks = [{ at: 0, time: 0 }]; // a place in the text, in characters, and when it is reached
  let place = 0;
  for (const piece of pieces(text, words)) {
    const from = place;
    place += count(piece.text);
    if (piece.word) marks.push({ at: from, time: piece.word.start }, { at: place, time: piece.word.end });
  }
  marks.push({ at: place, time: duration });
  const chars = [...text];
  const times = []; // of every character; a surrogate pair has it twice, for matchAll counts its halves
  let since = 0;
  for (let i = 1; i < marks.length; i++) {
    const [left, right] = [marks[i - 1].at, marks[i].at];
    const until = Math.max(since, marks[i].time);
    const time = (step) => start + (since + ((until - since) * step) / (right - left));
    for (let at = left; at < right; at++) {
      const said = { start: time(at - left), end: time(at - left + 1) };
      for (let half = 0; half < chars[at].length; half++) times.push(said);
    }
    since = until;
  }
  return [...text.matchAll(WORD)].map(({ 0: word, index }) => ({
    text: word,
    start: whole(times[index].start),
    end: whole(times[index + word.length - 1].end),
  }));
}

/** What pauses and ends of sentences part. A sentence shorter than half a line goes with what follows. */
function passages(words) {
  const found = [];
  for (const word of words) {
    const last = found.at(-1);
    if (!last || word.start - last.at(-1).end >= PAUSE_MS || isSentence(last)) found.push([word]);
    else last.push(word);
  }
  return found;
}

function isSentence(words) {
  return SENTENCE.test(words.at(-1).text) && count(join(words)) >= LINE_CHARS / 2;
}

/** The words of each cue of a passage. */
function cut(words) {
  if (words.length === 1 || (lines(words).length && words.at(-1).end - words[0].start <= LONGEST_MS)) return [words];
  const at = middle(words);
  return [...cut(words.slice(0, at)), ...cut(words.slice(at))];
}

/** Words as one line or two; none if they need more. */
function lines(words) {
  const text = join(words);
  if (count(text) <= LINE_CHARS) return [text];
  const at = middle(words, LINE_CHARS);
  return at ? [join(words.slice(0, at)), join(words.slice(at))] : [];
}

/** Where to part words, neither side longer than `most`: near the middle, punctuation counts as half a line nearer. Or 0. */
function middle(words, most = Infinity) {
  const length = count(join(words));
  let left = -1;
  let best = { cost: Infinity, at: 0 };
  words.slice(0, -1).forEach(({ text }, i) => {
    left += 1 + count(text);
    const right = length - left - 1;
    const cost = Math.abs(left - right) - (CLAUSE.test(text) ? LINE_CHARS : 0);
    if (Math.max(left, right) <= most && cost < best.cost) best = { cost, at: i + 1 };
  });
  return best.at;
}

/** When a cue that appears at `start` goes. */
function goes(start, words, following) {
  const said = Math.max(words.at(-1).end, start);
  const read = start + Math.floor((count(join(words)) * 1000) / CHARS_PER_S);
  let end = Math.max(said, Math.min(read, said + LINGER_MS), start + SHORTEST_MS);
  if (following && following[0].start - end <= CLOSE_MS) end = following[0].start - GAP_MS;
  return Math.min(Math.max(end, start + SHORTEST_MS), start + LONGEST_MS);
}

function join(words) {
  return words.map((word) => word.text).join(" ");
}

/** Characters, not halves of surrogate pairs. */
function count(text) {
  return [...text].length;
}

function whole(seconds) {
  return Math.floor(seconds * 1000 + 0.5);
}

function clock(ms, point) {
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  return `${two(ms / 3600000)}:${two((ms / 60000) % 60)}:${two((ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
}
