// The protocol's client side (docs/protocol.md): one session, over as many connections as it takes.

import { Backlog } from "./backlog.js";
import { RATE } from "./frames.js";

const OPEN_MS = 10_000; // a connection may take so long to open its session
const RETRY_MS = 20_000; // a lost connection is made again for so long
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 4_000;
const STEADY_MS = 5_000; // a connection that has lasted so long is no longer one that fails
const MOST_BUFFERED = 64 * 1024; // bytes the browser is given ahead of what the network takes: two seconds
const PUMP_MS = 50;
const CANCEL_MS = 2_000;
const TRIED_AGAIN = ["MAX_SESSIONS_REACHED", "QUEUE_FULL", "QUEUE_CONGESTION", "INTERNAL_ERROR"];
const FINAL_CLOSES = [1008, 1009]; // docs/protocol.md, "Trying again"
const BYTES = 2; // a sample
const CANCELLED = { kind: "ended", reason: "cancelled" };

/**
 * Calls `on.started(again, resumed)`, with `again` when what is not answered is said again, to the same session or to a new
 * one; `on.away()` when the connection is lost; `on.configured(message)`; `on.vad_event(message)`,
 * `on.partial_transcript(message)`, `on.final_transcript(message)`, `on.error(message)`, whose positions are those of the
 * audio over all connections; `on.wire(way, what)` for all that goes over it: "sent" or "received" and a message, or
 * "sent" and bytes of audio; and at the end, once, `on.over(outcome)`:
 *   {kind: "ended", reason, total_audio_ms}   the session ended as the protocol has it; reason "operator": by an operator's cancel
 *   {kind: "refused", code, message, retry_after_ms}   the service does not take the session now
 *   {kind: "shut", code}                      no session came about: not reached, not let in
 *   {kind: "dropped", code}                   the connection broke in a session, and could not be made again
 */
export class Client {
  #address;
  #protocols;
  #config;
  #on;
  #socket;
  #backlog = new Backlog();
  #session = null; // its id, once there is one
  #base = 0; // where in the audio the session's own begins
  #live = false; // the session is open on this connection
  #begun = false;
  #speaking = false;
  #awaited = new Set(); // segments without an answer
  #answered = new Set();
  #last = null; // the segment that was answered last
  #ending = false;
  #endSaid = false;
  #cancelled = false;
  #over = false;
  #pause = FIRST_PAUSE_MS;
  #deadline = null;
  #timers = {};

  /** Raises SyntaxError for a key no browser can send. */
  constructor(address, key, config, on) {
    this.#address = address;
    this.#protocols = key ? ["whisper-stt", `bearer.${key}`] : [];
    this.#config = config;
    this.#on = on;
    this.#dial();
  }

  /** Bytes not sent yet. */
  get unsent() {
    return BYTES * this.#backlog.unsent + (this.#live ? this.#socket.bufferedAmount : 0);
  }

  audio(frame) {
    this.#backlog.push(frame);
    this.#pump();
  }

  /** What was said so far is an utterance. */
  flush() {
    this.#backlog.flush();
    this.#pump();
  }

  /** Changes options of `configure`, on this connection and those that may follow. */
  configure(changes) {
    this.#config = { ...this.#config, ...changes };
    if (this.#live && !this.#endSaid) this.#say({ type: "configure", ...changes });
  }

  end() {
    this.#ending = true;
    this.#pump();
  }

  /** Drops what is not answered. */
  cancel() {
    this.#cancelled = true;
    if (!this.#live) return this.#finish(CANCELLED);
    this.#say({ type: "cancel" });
    this.#after("cancel", CANCEL_MS, () => this.#finish(CANCELLED));
  }

  // Connections

  #dial() {
    const socket = new WebSocket(this.#address, this.#protocols);
    const heard = (hear) => (event) => socket === this.#socket && hear(event);
    this.#socket = socket;
    socket.onopen = heard(() => this.#start());
    socket.onmessage = heard(({ data }) => this.#receive(JSON.parse(data)));
    socket.onclose = heard(({ code }) => this.#lose({ kind: this.#begun ? "dropped" : "shut", code }));
    this.#after("open", OPEN_MS, () => this.#lose({ kind: this.#begun ? "dropped" : "shut", code: 0 }));
  }

  #start() {
    const again = this.#session && { session_id: this.#session, ...(this.#last && { last_segment_id: this.#last }) };
    this.#say({ type: "start_session", config: this.#config, resume: true, ...again });
  }

  /** This connection is of no use any more. */
  #lose(outcome) {
    if (this.#over) return;
    const was = this.#live;
    this.#hangUp();
    if (!this.#begun) return this.#finish(outcome);
    if (this.#cancelled) return this.#finish(CANCELLED);
    if (FINAL_CLOSES.includes(outcome.code)) return this.#finish(outcome);
    this.#deadline ??= performance.now() + RETRY_MS;
    if (performance.now() + this.#pause > this.#deadline) return this.#finish({ kind: "dropped", code: outcome.code });
    if (was) this.#on.away();
    this.#after("dial", this.#pause, () => this.#dial());
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE_MS);
  }

  #hangUp() {
    const socket = this.#socket;
    this.#live = false;
    this.#socket = null;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    socket?.close();
  }

  #finish(outcome) {
    if (this.#over) return;
    this.#over = true;
    this.#hangUp();
    this.#on.over(outcome);
  }

  #steady() {
    this.#deadline = null;
    this.#pause = FIRST_PAUSE_MS;
  }

  #after(name, ms, act) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(act, ms);
  }

  // Out

  #say(message) {
    this.#socket.send(JSON.stringify(message));
    this.#on.wire("sent", message);
  }

  #send(pcm) {
    this.#socket.send(pcm);
    this.#on.wire("sent", pcm.byteLength);
  }

  /** Sends what the network takes; the rest waits here, in order. */
  #pump() {
    if (!this.#live) return;
    while (this.#socket.bufferedAmount < MOST_BUFFERED) {
      const part = this.#backlog.take(this.#speaking || this.#awaited.size > 0);
      if (!part) break;
      if (part.pcm) this.#send(part.pcm);
      else this.#say({ type: "flush" });
    }
    if (this.#backlog.unsent) this.#after("pump", PUMP_MS, () => this.#pump());
    else if (this.#ending && !this.#endSaid) {
      this.#endSaid = true;
      this.#say({ type: "end_session" });
    }
  }

  // In

  #receive(message) {
    this.#on.wire("received", message);
    if (message.type === "session_started") this.#begin(message);
    else if (message.type === "session_ended") this.#conclude(message);
    else if (message.type === "error" && !this.#live) this.#refuse(message);
    else this.#hear(message);
  }

  #begin({ session_id: id, resumed = false, audio_received_ms: ms = 0 }) {
    const again = this.#begun;
    const received = resumed ? Math.round((ms * RATE) / 1000) : 0;
    this.#base = this.#backlog.rewind(resumed ? this.#base + received : 0) - received;
    if (!resumed) {
      this.#answered.clear();
      this.#last = null;
    }
    this.#awaited.clear();
    this.#speaking = this.#endSaid = false;
    this.#session = id;
    this.#live = this.#begun = true;
    clearTimeout(this.#timers.open);
    this.#after("steady", STEADY_MS, () => this.#steady());
    this.#on.started(again, resumed);
    this.#pump();
  }

  #refuse(error) {
    // The lost connection has it still, or it is gone for good: a new session hears what has no answer.
    if (this.#session && ["SESSION_EXISTS", "INVALID_MESSAGE"].includes(error.code)) {
      this.#session = null;
      this.#start();
    } else if (TRIED_AGAIN.includes(error.code)) {
      this.#lose({ ...error, kind: "refused" });
    } else {
      this.#finish({ ...error, kind: "refused" });
    }
  }

  #conclude(message) {
    const reason = message.reason === "cancelled" && !this.#cancelled ? "operator" : message.reason;
    if (this.#session) this.#finish({ ...message, reason, kind: "ended" });
    else this.#lose({ kind: "dropped" }); // after INTERNAL_ERROR
  }

  #hear(message) {
    const moved = this.#moved(message);
    if (message.type === "vad_event") {
      this.#speaking = message.state === "speech_start";
      if (!this.#speaking && !this.#answered.has(message.segment_id)) this.#awaited.add(message.segment_id);
    } else if (message.segment_id && message.type !== "partial_transcript") {
      if (this.#answered.has(message.segment_id)) return; // told to the connection that was lost, too
      this.#settle(moved);
    } else if (message.type === "error" && message.code === "INTERNAL_ERROR") {
      this.#session = null; // it is ended; another one can have its audio
      return;
    }
    this.#on[message.type]?.(moved);
  }

  #settle({ type, segment_id: segment, audio_start_ms: start, audio_duration_ms: duration }) {
    this.#answered.add(segment);
    this.#awaited.delete(segment);
    this.#last = segment;
    this.#steady();
    if (type === "final_transcript") this.#backlog.confirm(Math.round(((start + duration) * RATE) / 1000));
  }

  /** The message with positions in all of the audio. */
  #moved(message) {
    const moved = { ...message };
    for (const name of ["t_ms", "audio_start_ms", "audio_end_ms"]) {
      if (name in moved) moved[name] += (this.#base * 1000) / RATE;
    }
    return moved;
  }
}
