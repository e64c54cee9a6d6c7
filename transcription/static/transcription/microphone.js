// The microphone as a source of frames. It may be taken away for a while: by a call, a locked screen, another program.

import { Framer, RATE } from "./frames.js";
import { Resampler } from "./resampler.js";

const WATCH_MS = 1000;
const SILENT_MS = 2000; // without a sample: something is wrong, whatever the browser says

/** Why there is no microphone: `reason` is insecure, unsupported, refused, none, busy or failed. */
export class MicrophoneError extends Error {
  constructor(reason, cause) {
    super(reason, { cause });
    this.reason = reason;
  }
}

const REASONS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
};

export class Microphone {
  live = true; // what it hears is heard now
  lost = false;
  #context;
  #stream;
  #capture;
  #ended;
  #heardAt;
  #muted = false;

  /** Asks for it. Raises MicrophoneError. */
  async open() {
    if (!window.isSecureContext) throw new MicrophoneError("insecure");
    if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new MicrophoneError("unsupported");
    try {
      this.#context = new AudioContext({ latencyHint: "interactive" });
      // as it is: a recogniser does better on noise than on what is left after noise was taken out
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
      await this.#context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
      this.#capture = new AudioWorkletNode(this.#context, "capture", { channelCount: 1, channelCountMode: "explicit" });
      // its output is silence; not every browser runs a node that leads nowhere
      this.#context.createMediaStreamSource(this.#stream).connect(this.#capture).connect(this.#context.destination);
      this.resume();
    } catch (error) {
      this.stop();
      throw new MicrophoneError(REASONS[error.name] ?? "failed", error);
    }
  }

  /**
   * Sends frames until it is stopped, or lost: then `lost` is true. Calls `trouble(name)` when nothing is heard,
   * "micInterrupted" or "micMuted", and `trouble(null)` when something is again.
   */
  async start(send, waiting, trouble) {
    const framer = new Framer(send);
    const resampler = new Resampler(Math.round(this.#context.sampleRate), RATE);
    let known = null;
    const tell = (name) => {
      if (name === known) return;
      known = name;
      if (name) framer.pad();
      trouble(name);
    };
    this.#heardAt = performance.now();
    this.#capture.port.onmessage = ({ data }) => {
      this.#heardAt = performance.now();
      // a muted track gives silence, and nothing else
      if (this.#muted && !this.#stream.getAudioTracks()[0].muted && data.some((sample) => sample)) this.#muted = false;
      framer.push(resampler.push(data));
    };
    const watch = () => tell(this.#trouble());
    const watching = setInterval(() => {
      watch();
      this.resume();
    }, WATCH_MS);
    document.addEventListener("visibilitychange", watch);
    await this.#over(tell);
    clearInterval(watching);
    document.removeEventListener("visibilitychange", watch);
    this.#capture.port.onmessage = null;
    framer.flush();
    this.stop();
  }

  /** Goes on, as far as the browser lets it. */
  resume() {
    if (this.#context?.state !== "running") this.#context?.resume().catch(() => {}); // it is tried again
  }

  stop() {
    this.#ended?.();
    this.#stream?.getTracks().forEach((track) => track.stop());
    if (this.#context?.state !== "closed") this.#context?.close();
    this.#context = null;
  }

  #trouble() {
    if (this.#context.state !== "running" || performance.now() - this.#heardAt > SILENT_MS) return "micInterrupted";
    return this.#muted ? "micMuted" : null;
  }

  /** Until it is stopped or lost; `tell` hears of what the browser notices meanwhile. */
  #over(tell) {
    const [track] = this.#stream.getAudioTracks();
    return new Promise((resolve) => {
      this.#ended = resolve;
      const lose = () => {
        this.lost = true;
        resolve();
      };
      if (track.readyState === "ended") lose();
      track.onended = lose;
      track.onmute = () => {
        this.#muted = true;
        tell(this.#trouble());
      };
      track.onunmute = () => {
        this.#muted = false;
        tell(this.#trouble());
      };
      this.#context.onstatechange = () => {
        if (this.#context?.state === "closed") lose();
        else if (this.#context) tell(this.#trouble());
      };
    });
  }
}
