// One session: a source of audio, the service, and what is known of both.

import { Client } from "./client.js";
import { Timeline } from "./timeline.js";

/**
 * Tells `on.phase(name)` ("connecting", "live", "finishing", "idle"), `on.vad(speaking)`, `on.partial(message)`,
 * `on.final(message, latency)`, `on.trouble(name, segment_id)` ("slow", "lostSegment").
 */
export class Conversation {
  timeline = new Timeline();
  #source;
  #client = null;
  #phase = "idle";
  #on;

  constructor(source, on) {
    this.#source = source;
    this.#on = on;
  }

  /** Until it is over; the client's outcome. Raises what the source raises when it cannot be opened. */
  async run(address, key, config) {
    this.#enter("connecting");
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

  async #speak() {
    this.#enter("live");
    const send = (frame, level) => {
      this.timeline.frame(level, performance.now());
      this.#client.audio(frame);
    };
    await this.#source.start(send, () => ({ bytes: this.#client.unsent, finals: this.timeline.awaited }));
    if (this.#phase !== "live") return; // over already
    this.#enter("finishing");
    this.#client.end();
  }

  #hears(fail) {
    return {
      started: () => this.#speak().catch(fail),
      vad_event: (message) => {
        this.timeline.event(message, performance.now());
        this.#on.vad(this.timeline.speaking);
      },
      partial_transcript: (message) => this.#on.partial(message),
      final_transcript: (message) => this.#on.final(message, this.timeline.final(message.segment_id, performance.now())),
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

  #enter(phase) {
    this.#phase = phase;
    this.#on.phase(phase);
  }
}
