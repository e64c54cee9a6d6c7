// What was said, over all sessions of this tab. It is kept over a reload, until it is cleared or the tab is closed.

const KEPT = "transcript";
const VERSION = 1;

/**
 * `finals`: [{segment, text, words, start, duration, confidence, timing, latency, lang}], times in seconds; `unfinished`
 * ones are partials whose final never came, and have no more than the text. `offset`: seconds of audio in the sessions before.
 */
export const transcript = restored() ?? { version: VERSION, finals: [], offset: 0 };

export function add(final) {
  transcript.finals.push(final);
  return keep();
}

/** A session is over, after so many seconds of audio. */
export function advance(offset) {
  transcript.offset = offset;
  return keep();
}

/** What has no final from that offset on is heard again. */
export function again(offset) {
  transcript.finals = transcript.finals.filter((final) => !final.unfinished || final.start < offset);
  return advance(offset);
}

export function clear() {
  transcript.finals = [];
  return keep();
}

/** Whether there was room for it. */
function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(transcript));
    return true;
  } catch {
    sessionStorage.removeItem(KEPT); // better nothing than half of it
    return false;
  }
}

/** What is there of this very shape: another version of the page may have left something else. */
function restored() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    return kept?.version === VERSION ? kept : null;
  } catch {
    return null;
  }
}
