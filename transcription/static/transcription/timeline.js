// What the browser knows of a session's time: when each frame was sent, how loud it was, where speech was heard.

import { FRAME_MS } from "./frames.js";

export class Timeline {
  levels = []; // dBFS, a frame each
  speech = []; // [from, to] in frames; `to` is Infinity while it lasts
  #sent = [];
  #ended = new Map(); // segment_id: when its speech_end came, and when its last sound was sent
  #exact = true;

  /** Length so far, ms. */
  get ms() {
    return this.levels.length * FRAME_MS;
  }

  /** Utterances that are over and have no final yet. */
  get awaited() {
    return this.#ended.size;
  }

  get speaking() {
    return this.speech.at(-1)?.[1] === Infinity;
  }

  frame(level, now) {
    this.levels.push(level);
    this.#sent.push(now);
  }

  event({ state, t_ms, segment_id }, now) {
    const frame = t_ms / FRAME_MS;
    if (state === "speech_start") {
      this.speech.push([frame, Infinity]);
    } else {
      if (this.speaking) this.speech.at(-1)[1] = frame;
      this.#ended.set(segment_id, { at: now, sent: this.#sent[Math.floor(frame)] });
    }
  }

  /** The service dropped frames: its positions are no longer ours. */
  dropped() {
    this.#exact = false;
  }

  /**
   * When a segment's final came: ms after its last sound left the browser (`afterSpeech`), and after the browser heard of
   * the utterance's end (`afterEnd`). Null where that is not known.
   */
  final(segment_id, now) {
    const end = this.#ended.get(segment_id);
    this.#ended.delete(segment_id);
    if (!end) return null;
    return { afterEnd: now - end.at, afterSpeech: this.#exact && end.sent !== undefined ? now - end.sent : null };
  }
}
