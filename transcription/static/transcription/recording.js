// A recording as a source of frames, at a pace the service takes.

import { FRAME_MS, Framer, RATE, SAMPLES } from "./frames.js";

const PACE = 4; // times real time, until the service asks for less
const MOST_AT_ONCE_MS = 1000; // after a pause, such as in a tab that is not looked at
const WAKE_MS = 50;
const MOST_UNSENT = 64 * 1024; // bytes the browser still holds

/** The browser cannot decode this file. */
export class RecordingError extends Error {}

export class Recording {
  #file;
  #samples;
  #pace;
  #stopped;

  constructor(file) {
    this.#file = file;
  }

  /** Decodes the file, mixed down, at 16 kHz. Raises RecordingError. */
  async open() {
    this.#pace = PACE;
    this.#stopped = false;
    try {
      // decoding resamples to the context's rate
      const audio = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await this.#file.arrayBuffer());
      this.#samples = mixed(audio);
    } catch (error) {
      throw new RecordingError(this.#file.name, { cause: error });
    }
  }

  /** Frames dropped: the service takes no more than real time now. */
  slower() {
    this.#pace = 1;
  }

  /** Sends frames to its end, or until it is stopped. `waiting` tells what it waits for: {bytes, finals}. */
  async start(send, waiting) {
    const framer = new Framer(send);
    let credit = 0;
    let before = performance.now();
    let next = 0;
    while (next < this.#samples.length && !this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, WAKE_MS));
      const now = performance.now();
      credit = Math.min(credit + this.#pace * (now - before), MOST_AT_ONCE_MS);
      before = now;
      const { bytes, finals } = waiting();
      if (bytes > MOST_UNSENT || finals > 2) continue;
      for (; credit >= FRAME_MS && next < this.#samples.length; credit -= FRAME_MS, next += SAMPLES) {
        framer.push(this.#samples.subarray(next, next + SAMPLES));
      }
    }
    framer.flush();
  }

  stop() {
    this.#stopped = true;
  }
}

function mixed(audio) {
  const samples = audio.getChannelData(0);
  for (let channel = 1; channel < audio.numberOfChannels; channel++) {
    audio.getChannelData(channel).forEach((sample, i) => (samples[i] += sample));
  }
  return audio.numberOfChannels === 1 ? samples : samples.map((sample) => sample / audio.numberOfChannels);
}
