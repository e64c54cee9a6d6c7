// A recording as a source of frames, at a pace the service takes.

import { FRAME_MS, Framer, RATE, SAMPLES } from "./frames.js";

const PACE = 4; // times real time, until the service asks for less
const MOST_AT_ONCE_MS = 1000; // after a pause, such as in a tab that is not looked at
const WAKE_MS = 50;
const BLOCK = RATE / 2; // samples that are mixed at a time
const SILENT = 1e-4; // power, as a share of the loudest channel's (-40 dB)
const OPPOSED = -0.5; // correlation with the loudest channel: a cable wired the wrong way round
const MOST_UNSENT = 64 * 1024; // bytes the browser still holds

/** The browser cannot decode this file. */
export class RecordingError extends Error {}

export class Recording {
  #file;
  #aloud;
  #audio = null;
  #samples = [];
  #next = 0; // the first sample that is not sent
  #pace;
  #stopped;
  #speaker = null;

  /** A File. `aloud`: it is played, and sent as it is spoken. */
  constructor(file, aloud = false) {
    this.#file = file;
    this.#aloud = aloud;
  }

  get name() {
    return this.#file.name;
  }

  /** Whether it is sent as it is spoken, so that waiting for its words means something. */
  get spoken() {
    return this.#aloud;
  }

  /** Length, and how much of it is sent, ms; 0 before it is decoded. */
  get ms() {
    return (this.#samples.length * 1000) / RATE;
  }

  get sentMs() {
    return (Math.min(this.#next, this.#samples.length) * 1000) / RATE;
  }

  /** Decodes the file, mixed down, at 16 kHz; the first time. Raises RecordingError. */
  async open() {
    this.#pace = this.#aloud ? 1 : PACE;
    this.#stopped = false;
    if (this.#samples.length) return;
    try {
      // decoding resamples to the context's rate
      const audio = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await this.#file.arrayBuffer());
      this.#samples = mixed(audio);
      if (this.#aloud) this.#audio = audio;
    } catch (error) {
      throw new RecordingError(this.name, { cause: error });
    }
  }

  /** The next start is from there on, ms. */
  rewind(ms) {
    this.#next = Math.round((ms * RATE) / 1000);
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
    if (this.#aloud) this.#play();
    while (this.#next < this.#samples.length && !this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, WAKE_MS));
      const now = performance.now();
      credit = Math.min(credit + this.#pace * (now - before), MOST_AT_ONCE_MS);
      before = now;
      const { bytes, finals } = waiting();
      if (bytes > MOST_UNSENT || finals > 2) continue;
      for (; credit >= FRAME_MS && this.#next < this.#samples.length; credit -= FRAME_MS, this.#next += SAMPLES) {
        framer.push(this.#samples.subarray(this.#next, this.#next + SAMPLES));
      }
    }
    framer.flush();
  }

  stop() {
    this.#stopped = true;
    this.#speaker?.close();
    this.#speaker = null;
  }

  /** What is sent from now on, for the ear; without a loudspeaker nothing is heard, and all else goes on. */
  #play() {
    this.#speaker = new AudioContext();
    const source = new AudioBufferSourceNode(this.#speaker, { buffer: this.#audio });
    source.connect(this.#speaker.destination);
    source.start(0, this.sentMs / 1000);
  }
}

/** Block by block, the mean of its channels, without those that are silent or would cancel the loudest out. */
function mixed(audio) {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, channel) => audio.getChannelData(channel));
  if (channels.length === 1) return channels[0];
  const samples = new Float32Array(audio.length);
  for (let from = 0; from < audio.length; from += BLOCK) {
    const heard = agreeing(channels.map((channel) => channel.subarray(from, from + BLOCK)));
    for (const block of heard) block.forEach((sample, i) => (samples[from + i] += sample / heard.length));
  }
  return samples;
}

function agreeing(blocks) {
  const powers = blocks.map((block) => product(block, block));
  const most = Math.max(...powers);
  const loudest = blocks[powers.indexOf(most)];
  return blocks.filter(
    (block, i) => powers[i] >= SILENT * most && product(block, loudest) >= OPPOSED * Math.sqrt(powers[i] * most),
  );
}

function product(a, b) {
  return a.reduce((sum, sample, i) => sum + sample * b[i], 0);
}
