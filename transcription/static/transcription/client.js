// The protocol's client side (docs/protocol.md): one connection, one session.

/**
 * Calls `on.started()`, `on.vad_event(message)`, `on.partial_transcript(message)`, `on.final_transcript(message)`,
 * `on.error(message)`, and at the end, once, `on.over(outcome)`, the message that
 * ended it with its kind:
 *   {kind: "ended", reason, total_audio_ms}   the session ended as the protocol has it
 *   {kind: "refused", code, message, retry_after_ms}   the service does not take the session now
 *   {kind: "shut", code}                      no session came about: not reached, not let in
 *   {kind: "dropped", code}                   the connection broke in a session
 */
export class Client {
  #socket;
  #on;
  #started = false;
  #over = false;

  /** Raises SyntaxError for a key no browser can send. */
  constructor(address, key, config, on) {
    this.#on = on;
    this.#socket = new WebSocket(address, key ? ["whisper-stt", `bearer.${key}`] : []);
    this.#socket.onopen = () => this.#say({ type: "start_session", config });
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.#finish({ kind: this.#started ? "dropped" : "shut", code });
  }

  /** Bytes not sent yet. */
  get unsent() {
    return this.#socket.bufferedAmount;
  }

  audio(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  end() {
    this.#say({ type: "end_session" });
  }

  cancel() {
    this.#say({ type: "cancel" });
  }

  #say(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #receive(message) {
    if (message.type === "session_started") {
      this.#started = true;
      this.#on.started();
    } else if (message.type === "session_ended") {
      this.#finish({ ...message, kind: "ended" });
    } else if (message.type === "error" && !this.#started) {
      this.#finish({ ...message, kind: "refused" });
    } else {
      this.#on[message.type]?.(message);
    }
  }

  #finish(outcome) {
    if (this.#over) return;
    this.#over = true;
    this.#socket.close();
    this.#on.over(outcome);
  }
}
