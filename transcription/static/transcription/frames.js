// What goes over the wire: PCM, 16 bit, mono, 16 kHz, 20 ms a frame.

export const RATE = 16000;
export const FRAME_MS = 20;
export const SAMPLES = (RATE * FRAME_MS) / 1000; // a frame

/** Cuts a stream of samples (-1 to 1) into frames: calls back with an Int16Array and its level in dBFS. */
export class Framer {
  #frame = new Int16Array(SAMPLES); // little-endian, as every machine with a browser is
  #length = 0;
  #power = 0;
  #emit;

  constructor(emit) {
    this.#emit = emit;
  }

  push(samples) {
    for (const sample of samples) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.#frame[this.#length++] = Math.round(clipped * 32767);
      this.#power += clipped * clipped;
      if (this.#length === SAMPLES) this.#pass();
    }
  }

  /** Ends the frame with silence: what comes next does not follow what came before. */
  pad() {
    if (this.#length) this.push(new Float32Array(SAMPLES - this.#length));
  }

  /** Passes on what is left, shorter than a frame. */
  flush() {
    if (this.#length) this.#pass();
  }

  #pass() {
    this.#emit(this.#frame.slice(0, this.#length), 10 * Math.log10(this.#power / this.#length + 1e-10));
    this.#length = 0;
    this.#power = 0;
  }
}
