// The microphone as a source of frames.

import { Framer, RATE } from "./frames.js";
import { Resampler } from "./resampler.js";

/** Why there is no microphone: `reason` is insecure, refused, none, busy or failed. */
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
  #context;
  #stream;
  #ended;
  lost = false;

  /** Asks for it. Raises MicrophoneError. */
  async open() {
    if (!navigator.mediaDevices || !window.AudioWorkletNode) throw new MicrophoneError("insecure");
    this.#context = new AudioContext({ latencyHint: "interactive" });
    try {
      // as it is: a recogniser does better on noise than on what is left after noise was taken out
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
      await this.#context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
      await this.#context.resume();
    } catch (error) {
      this.stop();
      throw new MicrophoneError(REASONS[error.name] ?? "failed", error);
    }
  }

  /** Sends frames until it is stopped, or lost: then `lost` is true. */
  async start(send) {
    const framer = new Framer(send);
    const resampler = new Resampler(this.#context.sampleRate, RATE);
    const capture = new AudioWorkletNode(this.#context, "capture", { channelCount: 1, channelCountMode: "explicit" });
    capture.port.onmessage = ({ data }) => framer.push(resampler.push(data));
    // its output is silence; not every browser runs a node that leads nowhere
    this.#context.createMediaStreamSource(this.#stream).connect(capture).connect(this.#context.destination);
    await new Promise((resolve) => {
      this.#ended = resolve;
      this.#stream.getAudioTracks()[0].onended = () => {
        this.lost = true;
        resolve();
      };
    });
    capture.port.onmessage = null;
    framer.flush();
    this.stop();
  }

  stop() {
    this.#ended?.();
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#context = null;
  }
}
