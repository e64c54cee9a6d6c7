// The strip chart: the last seconds of input level, with what was heard as speech in colour.

const BAR = 3; // pixels, gap included
const FRAMES_A_BAR = 3;
const FULL = -8; // dBFS that fill the chart
const CURVE = 36; // dB a factor of ten in height: between amplitude (20) and a flat line
const UTTERANCES = 16; // more than fit on the chart
const SLOW_MS = 500; // between drawings where motion is unwanted

export class Strip {
  #canvas;
  #timeline = null;
  #drawn = 0;
  #slow = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Shows a session's timeline from now on. */
  follow(timeline) {
    this.#timeline = timeline;
    const next = (now) => {
      if (this.#timeline !== timeline) return;
      if (!this.#slow.matches || now - this.#drawn >= SLOW_MS) {
        this.#drawn = now;
        this.#draw();
      }
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  /** Leaves the chart as it is. */
  rest() {
    this.#draw();
    this.#timeline = { ...this.#timeline };
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = window.devicePixelRatio;
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    const pen = this.#canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.#canvas);
    const [quiet, speech] = ["--strip-quiet", "--strip-speech"].map((name) => style.getPropertyValue(name));
    const { levels = [], speech: spoken = [] } = this.#timeline ?? {};
    const last = Math.floor(levels.length / FRAMES_A_BAR);
    const shown = Math.ceil(width / BAR);
    const recent = spoken.slice(-UTTERANCES);
    for (let bar = last - shown; bar < last; bar++) {
      const from = bar * FRAMES_A_BAR;
      const level = bar < 0 ? -Infinity : Math.max(...levels.slice(from, from + FRAMES_A_BAR));
      const tall = Math.max(2, Math.min(1, 10 ** ((level - FULL) / CURVE)) * height);
      pen.fillStyle = bar >= 0 && recent.some(([start, end]) => from >= start && from < end) ? speech : quiet;
      pen.fillRect(width - (last - bar) * BAR, (height - tall) / 2, BAR - 1, tall);
    }
  }
}
