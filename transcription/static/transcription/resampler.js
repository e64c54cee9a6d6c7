// Resampling by a rational factor: a windowed-sinc low-pass in polyphase form.

const CROSSINGS = 24; // zero crossings of the sinc on each side, at the lower of the two rates
const PASS = 0.91; // of the lower Nyquist frequency; the rest is for the filter's slope
const BETA = 8; // Kaiser's window: stop band at about -80 dB

/** A stream of samples at one rate, in; the same at another rate, out. Delays by `CROSSINGS` samples of the lower rate. */
export class Resampler {
  #step; // input samples an output sample advances, in phases
  #phases;
  #taps;
  #filters;
  #history; // the input that filters still reach back to
  #position = 0; // of the next output sample, in phases from the first sample of the history

  constructor(from, to) {
    const divisor = gcd(from, to);
    this.#phases = to / divisor;
    this.#step = from / divisor;
    const scale = Math.min(1, to / from);
    const reach = Math.ceil(CROSSINGS / scale);
    this.#taps = 2 * reach;
    this.#filters = Array.from({ length: this.#phases }, (_, phase) => design(phase / this.#phases, reach, PASS * scale));
    this.#history = new Float32Array(this.#taps - 1);
  }

  /** Float32Array in, Float32Array out. */
  push(samples) {
    const input = new Float32Array(this.#history.length + samples.length);
    input.set(this.#history);
    input.set(samples, this.#history.length);
    const end = (input.length - this.#taps + 1) * this.#phases;
    const output = new Float32Array(Math.max(0, Math.ceil((end - this.#position) / this.#step)));
    for (let i = 0; i < output.length; i++, this.#position += this.#step) {
      const start = Math.floor(this.#position / this.#phases);
      const filter = this.#filters[this.#position % this.#phases];
      let sum = 0;
      for (let tap = 0; tap < this.#taps; tap++) sum += input[start + tap] * filter[tap];
      output[i] = sum;
    }
    const consumed = Math.min(Math.floor(this.#position / this.#phases), input.length);
    this.#position -= consumed * this.#phases;
    this.#history = input.slice(consumed);
    return output;
  }
}

function design(fraction, reach, cutoff) {
  const filter = Float64Array.from({ length: 2 * reach }, (_, tap) => {
    const x = tap - (reach - 1) - fraction;
    return sinc(cutoff * x) * kaiser(x / reach);
  });
  const sum = filter.reduce((total, value) => total + value, 0); // unity gain for every phase
  return Float32Array.from(filter, (value) => value / sum);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x) {
  return Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA);
}

function bessel(x) {
  let sum = 1;
  for (let term = 1, k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}
