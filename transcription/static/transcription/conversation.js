// One session: a source of audio, the service, and what is known of both.

import { Client } from "./client.js";
import { RATE } from "./frames.js";
import { Timeline } from "./timeline.js";

const SECOND = 2 * RATE; // bytes
const BEHIND = 3 * SECOND; // of speech not sent yet, that is worth a word
const MOST_BEHIND = 30 * SECOND; // no more than this is kept: nothing is heard until it is sent
const CAUGHT_UP = SECOND;

/**
 * Tells `on.phase(name)` ("connecting", "live", "finishing", "idle"), `on.vad(speaking)`, `on.partial(message, start, lang)`,
 * `on.final(message, start, latency, lang)` (`start` in ms from the first frame; `latency` null where none waited),
 * `on.again(resumed)` when what has no final is said again, `on.configured(lang)`, `on.wire(way, what)` as the client does,
 * `on.trouble(name, segment_id)` ("slow", "lostSegment"), and `on.hindered(name, deaf_ms)` for as long as something
 * is in the way: "micInterrupted", "micMuted", "away", "deaf", "behind", then null with how long nothing was heard.
 */
export class Conversation {
  timeline;
  answeredMs = 0; // of the audio, what has its final
  #source;
  #client = null;
  #phase = "idle";
  #on;
  #microphone = null; // what is wrong with it
  #away = false;
  #deaf = false;
  #behind = false;
  #hindered = null;
  #lang = null; // of the utterances that begin now
  #asked = null; // the language that is to be so
  #langs = new Map(); // segment_id: its language
  #deafSince = null;
  #deafMs = 0; // before that, since something came into the way

  constructor(source, on) {
    this.#source = source;
    this.#on = on;
    this.timeline = new Timeline(source.live);
  }

  /** Until it is over; the client's outcome. Raises what the source raises when it cannot be opened. */
  async run(address, key, config) {
    this.#enter("connecting");
    this.#lang = this.#asked = config.lang_code;
    try {
      await this.#source.open();
      return await new Promise((resolve, reject) => {
        this.#client = new Client(address, key, config, { ...this.#hears(reject), over: resolve });
      });
    } finally {
      this.#source.stop();
      this.#enter("idle");
    }
  }

  /** Ends it in order; a second time, at once. */
  stop() {
    if (this.#phase === "live") this.#source.stop();
    else if (this.#phase === "finishing") this.#client.cancel();
  }

  /** The language of the utterances that begin from now on. */
  speak(lang) {
    this.#asked = lang;
    this.#client?.configure({ lang_code: lang });
  }

  /** Somebody asks the source to go on. */
  resume() {
    this.#source.resume?.();
  }

  async #speak() {
    this.#enter("live");
    const waiting = () => ({ bytes: this.#client.unsent, finals: this.timeline.awaited });
    const trouble = (name) => {
      if (this.#phase !== "live") return;
      this.#microphone = name;
      if (name) this.#client.flush();
      this.#look();
    };
    await this.#source.start((frame, level) => this.#send(frame, level), waiting, trouble);
    if (this.#phase !== "live") return; // over already
    this.#microphone = null;
    this.#deaf = false;
    this.#enter("finishing");
    this.#client.end();
    this.#look();
  }

  #send(frame, level) {
    if (this.#source.live) this.#keepUp();
    if (this.#deaf) return;
    this.timeline.frame(level, performance.now());
    this.#client.audio(frame);
  }

  /** What is heard is sent in order and without holes, or not heard at all. */
  #keepUp() {
    const { unsent } = this.#client;
    if (unsent > MOST_BEHIND && !this.#deaf) {
      this.#deaf = true;
      this.#client.flush(); // no utterance goes on over the hole
    } else if (unsent < CAUGHT_UP) {
      this.#deaf = false;
    }
    this.#behind = unsent > (this.#behind ? CAUGHT_UP : BEHIND);
    this.#look();
  }

  #look() {
    const deaf = this.#microphone !== null || this.#deaf;
    if (deaf) this.#deafSince ??= performance.now();
    else if (this.#deafSince !== null) {
      this.#deafMs += performance.now() - this.#deafSince;
      this.#deafSince = null;
    }
    const name = this.#microphone ?? (this.#deaf ? "deaf" : this.#away ? "away" : this.#behind ? "behind" : null);
    if (name === this.#hindered) return;
    this.#hindered = name;
    this.#on.hindered(name, this.#deafMs);
    if (!name) this.#deafMs = 0;
  }

  #hears(fail) {
    return {
      started: (again, resumed) => {
        if (!again) return void this.#speak().catch((error) => this.#give(fail, error));
        this.timeline.again();
        this.#lang = this.#asked; // the start has said so
        this.#langs.clear();
        this.#on.again(resumed);
        this.#away = false;
        this.#look();
      },
      away: () => {
        this.#away = true;
        this.#look();
      },
      wire: this.#on.wire,
      configured: ({ lang_code: lang }) => {
        this.#lang = lang;
        this.#on.configured(lang);
      },
      vad_event: (message) => {
        if (message.state === "speech_start") this.#langs.set(message.segment_id, this.#lang);
        this.timeline.event(message, performance.now());
        this.#on.vad(this.timeline.speaking);
      },
      partial_transcript: (message) => {
        this.#on.partial(message, this.timeline.began(message.segment_id), this.#langOf(message.segment_id));
      },
      final_transcript: (message) => {
        const { segment_id: segment, audio_start_ms: from, audio_duration_ms: length } = message;
        const start = this.timeline.start(message);
        const latency = this.timeline.final(segment, performance.now());
        this.answeredMs = from + length;
        this.#on.final(message, start, this.#source.live || this.#source.spoken ? latency : null, this.#langOf(segment));
      },
      error: ({ code, segment_id }) => {
        if (code === "QUEUE_CONGESTION") {
          this.timeline.dropped();
          this.#source.slower?.();
          this.#on.trouble("slow");
        } else if (segment_id) {
          this.timeline.final(segment_id, performance.now());
          this.#on.trouble("lostSegment", segment_id);
        }
      },
    };
  }

  /** One that was cut for its length begins without a word. */
  #langOf(segment) {
    return this.#langs.get(segment) ?? this.#lang;
  }

  /** The source has failed: nothing is left to say. */
  #give(fail, error) {
    fail(error);
    this.#client.cancel();
  }

  #enter(phase) {
    this.#phase = phase;
    this.#on.phase(phase);
  }
}
