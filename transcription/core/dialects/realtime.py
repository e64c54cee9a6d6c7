"""OpenAI's Realtime API for transcription, `/v1/realtime?intent=transcription` (openai 3.57 `types/realtime`).

Both of its shapes are spoken: `session.update`, and `transcription_session.update` of the beta; who asks in one is
answered in it. The session starts with the first update, or the first audio where none came. An utterance is an item.
Deltas are what is stable of its text, so that they only ever append; the transcript that completes the item is the last
word. A segment that fails is an item that `failed`: an `error` makes clients give up the whole stream.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from transcription.core.dialects.dialect import Hangup, Refused, Reply, Step, as_frame, control, pieces
from transcription.core.dialects.realtime_setup import Setup
from transcription.core.protocol import (
    CloseCode,
    Error,
    ErrorCode,
    FinalTranscript,
    Flush,
    PartialTranscript,
    ServerMessage,
    SessionStarted,
    StartConfig,
    StartSession,
    VadEvent,
)
from transcription.core.resuming import segment_name

LEAST_COMMIT_MS = 100
"""Less audio than that cannot be committed."""
MOST_WAITING = 8 << 20
"""Bytes of audio that wait for the session to start."""
PASSING = (ErrorCode.MAX_SESSIONS_REACHED, ErrorCode.QUEUE_CONGESTION, ErrorCode.QUEUE_FULL)
"""Refusals of a session that may be admitted a moment later."""


@dataclass(slots=True)
class Item:
    """What will be one transcript."""

    item_id: str
    said: str = ""
    """What the deltas said so far."""
    done: str = ""
    """Of an item that the client commits: the segments of it that have their final."""
    committed: bool = False
    failed: Error | None = None
    """Of an item that the client commits: why a segment of it has no transcript."""


class OpenAIRealtime:
    """One connection."""

    def __init__(self, query: str, request_id: str) -> None:
        self._id = request_id.replace("-", "")
        self._events = self._made = self._flushes = 0
        self._beta = False
        self._setup = Setup()
        self._start: StartConfig | None = None
        """What the session was started with."""
        self._started = False
        self._waiting: list[Step] = []
        self._uncommitted = 0
        """Bytes since the last commit."""
        self._items: dict[str, Item] = {}
        """By segment."""
        self._open: Item | None = None
        """Where the client commits: what it has not yet."""
        self._flushed: dict[str, Item | None] = {}
        """By `flush_id`: the item committed; `None`: audio that was cleared."""
        self._last_item: str | None = None
        self._answered = 0
        """Segments that have their final, or failed: it comes in order, once for each."""

    def open(self) -> Sequence[Step]:
        """Accepted at once: what is wanted comes in messages."""
        return [self._say("session.created", session=self._session())]

    def refuse(self, error: Error) -> Refused:
        """Never asked: the handshake is answered before the session starts."""
        return Refused(429, {"error": _error(error)})

    # From the client

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """An event."""
        if isinstance(frame, bytes):
            return [self._complain("Expected text frames: audio goes into `input_audio_buffer.append`")]
        if (event := control(frame)) is None:
            return [self._complain("Expected a JSON object with `type`")]
        kind = str(event["type"])
        event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
        match kind:
            case "session.update" | "transcription_session.update":
                self._beta = kind.startswith("transcription_")
                return self._update(event.get("session"), event_id)
            case "input_audio_buffer.append":
                return self._append(event.get("audio"), event_id)
            case "input_audio_buffer.commit":
                return self._commit(event_id)
            case "input_audio_buffer.clear":
                return self._clear()
        return [self._complain(f"Unknown type `{kind[:60]}`", event_id=event_id)]

    def _update(self, asked: object, event_id: str | None) -> Sequence[Step]:
        try:
            setup, config = self._setup.updated(asked if isinstance(asked, dict) else {}, beta=self._beta)
        except ValueError as error:
            return [self._complain(str(error), event_id=event_id)]
        begins: list[Step] = []
        if self._start is None:
            self._setup, self._start = setup, config
            begins = [StartSession(config=config)]
        fixed = ("encoding", "sample_rate", "vad_enabled")
        if any(getattr(config, field, None) != getattr(self._start, field, None) for field in fixed):
            told = "Format and turn detection stay as they were when the session began"
            return [self._complain(told, "unsupported", event_id)]
        name = "transcription_session.updated" if self._beta else "session.updated"
        return [*begins, self._say(name, session=self._session())]

    def _append(self, audio: object, event_id: str | None) -> Sequence[Step]:
        try:
            data = base64.b64decode(audio, validate=True) if isinstance(audio, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            return [self._complain("audio: expected base64", "invalid_value", event_id)]
        begins: list[Step] = []
        if self._start is None:
            self._setup, self._start = self._setup.updated({}, beta=self._beta)
            begins = [StartSession(config=self._start)]
        self._uncommitted += len(data)
        if not self._started and self._uncommitted > MOST_WAITING:
            return [self._complain("Too much audio before the session has started"), Hangup(1008)]
        return [*begins, *self._pass_on(pieces(data))]

    def _pass_on(self, steps: Sequence[Step]) -> Sequence[Step]:
        """To the session, once it has started."""
        if self._started:
            return steps
        self._waiting += steps
        return []

    def _commit(self, event_id: str | None) -> Sequence[Step]:
        heard_ms, self._uncommitted = self._setup.ms(self._uncommitted), 0
        if heard_ms < LEAST_COMMIT_MS:
            if self._setup.vad:
                return []  # the server has committed already
            message = f"Expected at least {LEAST_COMMIT_MS} ms of audio, got {heard_ms:.0f}"
            return [self._complain(message, "input_audio_buffer_commit_empty", event_id)]
        if self._setup.vad:
            return self._pass_on([Flush()])
        item, self._open = self._open or self._new(), None
        flush_id = self._name_flush(item)
        return [*self._committed(item), *self._pass_on([Flush(flush_id=flush_id)])]

    def _clear(self) -> Sequence[Step]:
        """What was sent is transcribed and not told."""
        cleared = self._say("input_audio_buffer.cleared")
        self._uncommitted, self._open = 0, None
        while self._waiting and not isinstance(self._waiting[-1], Flush):
            self._waiting.pop()
        if self._setup.vad or not self._started:
            return [cleared]
        return [cleared, Flush(flush_id=self._name_flush(None))]

    def _name_flush(self, item: Item | None) -> str:
        self._flushes += 1
        self._flushed[f"flush-{self._flushes}"] = item
        return f"flush-{self._flushes}"

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """In OpenAI's words."""
        match message:
            case SessionStarted():
                self._started = True
                waiting, self._waiting = self._waiting, []
                return waiting
            case VadEvent(state="speech_start"):
                item, at = self._item(message.segment_id), round(message.t_ms)
                return [self._say("input_audio_buffer.speech_started", audio_start_ms=at, item_id=item.item_id)]
            case VadEvent():
                item, at = self._item(message.segment_id), round(message.t_ms)
                stopped = self._say("input_audio_buffer.speech_stopped", audio_end_ms=at, item_id=item.item_id)
                return [stopped, *self._committed(item)]
            case PartialTranscript():
                item = self._item(message.segment_id)
                if not self._setup.vad and message.segment_id != segment_name(self._answered + 1):
                    return []  # what goes before it in the item is not known yet
                return self._delta(item, message.stable_text)
            case FinalTranscript():
                return self._final(message)
            case Error():
                return self._failed(message)
        return []

    def _final(self, final: FinalTranscript) -> Sequence[Step]:
        item = self._close(final.segment_id, final.flush_id if isinstance(final.flush_id, str) else None)
        if item is None:
            return []
        text = " ".join(part for part in (item.done, final.text) if part)
        if not self._setup.vad and not isinstance(final.flush_id, str):
            item.done = text  # cut for its length; its end is still to come
            return self._delta(item, "")
        if item.failed:
            return self._give_up(item, item.failed)
        return [
            *self._committed(item),
            *self._delta(item, final.text),
            self._say(
                "conversation.item.input_audio_transcription.completed",
                item_id=item.item_id,
                content_index=0,
                transcript=text,
                usage={"type": "duration", "seconds": round(final.audio_duration_ms / 1000, 3)},
            ),
        ]

    def _failed(self, error: Error) -> Sequence[Step]:
        if not error.segment_id:
            return self._refused(error)
        item = self._close(error.segment_id, error.flush_id)
        if item is None:
            return []
        if not self._setup.vad and error.flush_id is None:
            item.failed = error  # told with its end
            return []
        return self._give_up(item, error)

    def _refused(self, error: Error) -> Sequence[Step]:
        """What passes is told by the close alone: after an `error` clients do not come back."""
        if error.code is ErrorCode.INTERNAL_ERROR:
            return []  # the session's own close follows: 1011, or 1012 where the server is restarted
        if not self._started and error.code in PASSING:
            return [Hangup(CloseCode.TRY_AGAIN_LATER, error.message)]
        told = self._say("error", error=_error(error))
        return [told] if self._started else [told, Hangup(CloseCode.POLICY_VIOLATION, error.message)]

    def _give_up(self, item: Item, error: Error) -> Sequence[Step]:
        kind = "conversation.item.input_audio_transcription.failed"
        told = self._say(kind, item_id=item.item_id, content_index=0, error=_error(error))
        return [*self._committed(item), told]

    def _item(self, segment_id: str) -> Item:
        if segment_id not in self._items:
            if self._setup.vad:
                self._items[segment_id] = self._new()
            else:
                self._open = self._items[segment_id] = self._open or self._new()
        return self._items[segment_id]

    def _close(self, segment_id: str, flush_id: str | None) -> Item | None:
        """The item that a segment's answer is for; none where it was cleared, or nothing was said.

        Answers come in order: where the client commits, one that answers no commit belongs to the next to be answered.
        """
        item = self._items.pop(segment_id, None)
        self._answered += 1
        if flush_id is not None and flush_id in self._flushed:
            return self._flushed.pop(flush_id)
        if self._setup.vad:
            return item or self._new()
        if self._flushed:
            return next(iter(self._flushed.values()))
        self._open = self._open or item or self._new()
        return self._open

    def _delta(self, item: Item, text: str) -> Sequence[Step]:
        """What the text has more than was told; nothing where it says something else by now."""
        whole = " ".join(part for part in (item.done, text) if part)
        if len(whole) <= len(item.said) or not whole.startswith(item.said):
            return []
        delta, item.said = whole[len(item.said) :], whole
        kind = "conversation.item.input_audio_transcription.delta"
        return [self._say(kind, item_id=item.item_id, content_index=0, delta=delta)]

    def _committed(self, item: Item) -> Sequence[Step]:
        if item.committed:
            return []
        item.committed = True
        previous, self._last_item = self._last_item, item.item_id
        entry = {
            "id": item.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        added = "conversation.item.created" if self._beta else "conversation.item.added"
        return [
            self._say("input_audio_buffer.committed", previous_item_id=previous, item_id=item.item_id),
            self._say(added, previous_item_id=previous, item=entry),
        ]

    def _new(self) -> Item:
        self._made += 1
        return Item(f"item_{self._id[:12]}_{self._made}")

    def _session(self) -> dict[str, object]:
        return self._setup.told(f"sess_{self._id}", beta=self._beta)

    def _complain(self, message: str, code: str = "invalid_request", event_id: str | None = None) -> Reply:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        return self._say("error", error=error | {"event_id": event_id})

    def _say(self, kind: str, **fields: object) -> Reply:
        self._events += 1
        return as_frame({"type": kind, "event_id": f"event_{self._id[:12]}_{self._events}", **fields})


def _error(error: Error) -> dict[str, object]:
    kind = "invalid_request_error" if error.code is ErrorCode.INVALID_MESSAGE else "server_error"
    return {"type": kind, "code": str(error.code).lower(), "message": error.message, "param": None, "event_id": None}
