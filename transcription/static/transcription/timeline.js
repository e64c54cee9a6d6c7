// What the browser knows of a session's time: when each frame was heard, how loud it was, where speech was heard.

import { FRAME_MS } from "./frames.js";

const LATE_FRAMES = 150; // a busy browser hands frames over late, and then many at once
const EDGE_MS = 100; // speech that begins so shortly before a pause of the microphone began after it

export class Timeline {
  levels = []; // dBFS, a frame each
  speech = []; // [from, to] in frames; `to` is Infinity while it lasts
  #live;
  #heard = [];
  #began = new Map(); // segment_id: where its speech begins, ms
  #ended = new Map(); // segment_id: when its speech_end came, and when its last sound was heard
  #exact = true;

  /** Of `live` audio the pauses count, in which there was none; a recording has positions only. */
  constructor(live = false) {
    this.#live = live;
  }

  /** Length so far, ms. */
  get ms() {
    const { length } = this.levels;
    return length && this.#live ? length * FRAME_MS + this.#paused(length - 1) : length * FRAME_MS;
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
    this.#heard.push(now);
  }

  event({ state, t_ms, segment_id }, now) {
    const frame = t_ms / FRAME_MS;
    if (state === "speech_start") {
      this.speech.push([frame, Infinity]);
      this.#began.set(segment_id, t_ms);
    } else {
      if (this.speaking) this.speech.at(-1)[1] = frame;
      this.#ended.set(segment_id, { at: now, heard: this.#heard[Math.floor(frame)] });
    }
  }

  /** What has no final is said again. */
  again() {
    if (this.speaking) this.speech.pop();
    this.#began.clear();
    this.#ended.clear();
  }

  /** When a segment began, ms from the first frame. What it has of audio before its speech belongs to its speech. */
  start({ segment_id, audio_start_ms }) {
    if (!this.#live) return audio_start_ms;
    const speech = this.#began.get(segment_id) ?? audio_start_ms;
    return audio_start_ms + this.#paused(Math.floor((speech + EDGE_MS) / FRAME_MS));
  }

  /** When a segment that has no final began, ms from the first frame. */
  began(segment_id) {
    const speech = this.#began.get(segment_id) ?? this.levels.length * FRAME_MS;
    return this.start({ segment_id, audio_start_ms: speech });
  }

  /** The service dropped frames: its positions are no longer ours. */
  dropped() {
    this.#exact = false;
  }

  /**
   * When a segment's final came: ms after its last sound was heard (`afterSpeech`), and after the browser heard of
   * the utterance's end (`afterEnd`). Null where that is not known.
   */
  final(segment_id, now) {
    const end = this.#ended.get(segment_id);
    this.#ended.delete(segment_id);
    if (!end) return null;
    return { afterEnd: now - end.at, afterSpeech: this.#exact && end.heard !== undefined ? now - end.heard : null };
  }

  /** For how long nothing was heard before a frame, ms. */
  #paused(frame) {
    return this.#lag(Math.min(frame, this.#heard.length - 1)) - this.#lag(0);
  }

  /** How much later than by its position a frame was heard; those that came late say nothing of that. */
  #lag(frame) {
    let least = Infinity;
    for (let i = frame; i < Math.min(frame + LATE_FRAMES, this.#heard.length); i++) {
      least = Math.min(least, this.#heard[i] - i * FRAME_MS);
    }
    return least;
  }
}
