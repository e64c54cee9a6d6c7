// Runs on the audio thread: passes what the microphone hears to the page, one channel, as it comes.
// It imports nothing, because not every browser lets a worklet do so; the page resamples.

const BLOCKS = 4; // of 128 samples: about 10 ms a message

class Capture extends AudioWorkletProcessor {
  #kept = new Float32Array(BLOCKS * 128);
  #length = 0;

  process([channels]) {
    const block = channels[0];
    if (!block) return true; // nothing is connected yet
    if (this.#length + block.length > this.#kept.length) this.#pass();
    this.#kept.set(block, this.#length);
    this.#length += block.length;
    return true;
  }

  #pass() {
    const samples = this.#kept.slice(0, this.#length);
    this.port.postMessage(samples, [samples.buffer]);
    this.#length = 0;
  }
}

registerProcessor("capture", Capture);
