// Audio on its way: what is not sent yet, and what was sent and may have to be sent again when the connection is lost.

import { RATE } from "./frames.js";

const SILENCE_KEPT = 15 * RATE; // samples; the service may read late what was sent
const KEPT = 600 * RATE; // no more than this is kept, transcribed or not

/** Positions are samples from the first one that was ever pushed. */
export class Backlog {
  #parts = []; // {start, pcm} or, where the utterance is to end, {start, pcm: null}
  #next = 0; // of the parts, the first that is not sent
  #end = 0;

  /** Samples that are not sent yet. */
  get unsent() {
    return this.#end - this.#position;
  }

  get #position() {
    return this.#parts[this.#next]?.start ?? this.#end;
  }

  /** Takes an Int16Array. */
  push(pcm) {
    this.#parts.push({ start: this.#end, pcm });
    this.#end += pcm.length;
  }

  /** The utterance ends here, whatever follows. */
  flush() {
    this.#parts.push({ start: this.#end, pcm: null });
  }

  /** The next part, which is sent now; undefined when there is none. What was sent long ago is kept with `keep` only. */
  take(keep) {
    const part = this.#parts[this.#next];
    if (!part) return undefined;
    this.#next += 1;
    this.#drop(part.start - (keep ? KEPT : SILENCE_KEPT));
    return part;
  }

  /** What is before a position is transcribed. */
  confirm(position) {
    this.#drop(position);
  }

  /** Send again from a position on, or from where there is audio; returns where that is. */
  rewind(position) {
    this.#next = this.#parts.findIndex(({ start, pcm }) => start + (pcm?.length ?? 0) > position || (!pcm && start >= position));
    if (this.#next < 0) this.#next = this.#parts.length;
    const part = this.#parts[this.#next];
    if (part?.pcm && part.start < position) {
      part.pcm = part.pcm.subarray(position - part.start);
      part.start = position;
    }
    return this.#position;
  }

  #drop(position) {
    let count = 0;
    while (count < this.#next && this.#parts[count].start + (this.#parts[count].pcm?.length ?? 0) <= position) count += 1;
    this.#parts.splice(0, count);
    this.#next -= count;
  }
}
