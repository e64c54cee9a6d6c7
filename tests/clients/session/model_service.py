"""The service's half of the protocol as a model without I/O: what it accepts, says and settles.

Samples tell what they are: twice their position in the stream, plus one where somebody speaks. At `RATE`, a sample is
10 ms.
"""

import json
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Any

RATE = 100
MS = 1000 // RATE
ENDPOINT = 20
"""Samples of silence that end an utterance."""
ANSWERS_KEPT = 16
TIMING = dict.fromkeys(("preprocess_ms", "queue_wait_ms", "inference_ms", "postprocess_ms", "server_total_ms"), 1.0)


def pcm(start: int, count: int, *, speech: bool) -> bytes:
    """So many samples of the stream."""
    return array("H", (2 * position + speech for position in range(start, start + count))).tobytes()


def samples(frame: bytes) -> list[int]:
    return array("H", frame).tolist()


@dataclass
class Segment:
    """One that is closed and not answered."""

    segment_id: str
    start: int
    end: int
    flush_id: str | None


@dataclass
class Kept:
    """A session, whoever is connected to it."""

    config: dict[str, Any]
    audio: list[int] = field(default_factory=list)
    """Each accepted sample."""
    segments: int = 0
    position: int = 0
    """Where the last answered segment ends."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False


class Service:
    """All sessions, and the one connection."""

    def __init__(self) -> None:
        self.sessions: dict[str, Kept] = {}
        self.heard: dict[tuple[str, str], list[int]] = {}
        """The samples of each answered segment, by session and segment."""
        self.mood = "fine"
        """`busy` refuses starts, `simple` knows no resume, `taken` has the lost session still."""
        self.dropping = 0
        """So many frames are not taken."""
        self.outgoing: deque[str] = deque()
        self.session_id = ""
        self.ending = ""
        self._open: int | None = None
        self._speech_end = 0
        self._pending: deque[Segment] = deque()

    @property
    def live(self) -> bool:
        return bool(self.session_id)

    @property
    def kept(self) -> Kept:
        return self.sessions[self.session_id]

    @property
    def pending(self) -> bool:
        return bool(self._pending)

    def connect(self) -> None:
        """A new connection; the one before is gone, with all that was on its way."""
        self.outgoing.clear()
        self.session_id = self.ending = ""
        self.dropping = 0

    def receive(self, frame: str | bytes) -> None:
        """A frame of the client's has arrived."""
        if isinstance(frame, bytes):
            assert self.live, "audio comes after `session_started`"
            if self.dropping:
                self.dropping -= 1
            elif self.ending:
                self._say({"type": "error", "code": "INVALID_MESSAGE", "message": "Audio after the end"})
            else:
                self._accept(samples(frame))
            return
        message = json.loads(frame)
        match message["type"]:
            case "start_session":
                self._start(message)
            case "flush" if self.live and not self.ending:
                self._flush(message["flush_id"])
            case "end_session" if self.live:
                self.end("completed")

    def answer(self, *, fails: bool = False) -> None:
        """The next segment in line gets its final, or the error in its place."""
        segment = self._pending.popleft()
        kept = self.kept
        kept.position = segment.end
        self.heard[self.session_id, segment.segment_id] = kept.audio[segment.start : segment.end]
        fields: dict[str, Any] = {"segment_id": segment.segment_id}
        if segment.flush_id:
            fields["flush_id"] = segment.flush_id
        if fails:
            fields |= {"type": "error", "code": "INFERENCE_ERROR", "message": "no"}
        else:
            fields |= {"type": "final_transcript", "text": "olá", "confidence": 0.9, "words": [], "timing": TIMING}
            fields |= {"audio_start_ms": segment.start * MS, "audio_duration_ms": (segment.end - segment.start) * MS}
        kept.answers.append(fields)
        self._say(fields)
        self._finish()

    def repeat(self, n: int) -> None:
        """Say an answer again."""
        self._say(self.kept.answers[-n])

    def end(self, reason: str) -> None:
        """The input ends; `session_ended` follows the last answer."""
        if not self.ending:
            self._close(None)
            self.ending = reason
            self._finish()

    def congest(self) -> None:
        """Drop some audio, and go on."""
        self.dropping = 2
        self._say({"type": "error", "code": "QUEUE_CONGESTION", "message": "too much"})

    def _start(self, message: dict[str, Any]) -> None:
        lost, resume = message.get("session_id"), message.get("resume", False)
        assert resume or not lost, "a session is asked for only to be resumed"
        if self.mood == "busy":
            self._say({"type": "error", "code": "QUEUE_FULL", "message": "busy", "retry_after_ms": 500})
        elif (self.mood == "simple" and resume) or (self.mood == "taken" and lost):
            code = "INVALID_MESSAGE" if self.mood == "simple" else "SESSION_EXISTS"
            self._say({"type": "error", "code": code, "message": "no"})
        elif lost in self.sessions and self._missed(lost, message.get("last_segment_id")) is not None:
            self._resume(lost, message["config"], self._missed(lost, message.get("last_segment_id")) or [])
        else:
            self.session_id = f"session-{len(self.sessions) + 1}"
            self.sessions[self.session_id] = Kept(message["config"])
            self._begin()
            self._say({"type": "session_started", **({"resumed": False} if resume else {})})

    def _missed(self, session_id: str, last: str | None) -> list[dict[str, Any]] | None:
        """The answers that the client has not; `None` when the session cannot be resumed."""
        kept = self.sessions[session_id]
        names = [answer["segment_id"] for answer in kept.answers]
        missed = kept.answers[names.index(last) + 1 if last else 0 :]
        return None if kept.over or len(missed) > ANSWERS_KEPT else missed

    def _resume(self, session_id: str, config: dict[str, Any], missed: list[dict[str, Any]]) -> None:
        self.session_id = session_id
        kept = self.kept
        del kept.audio[kept.position :]
        kept.config, kept.segments = config, len(kept.answers)
        self._begin()
        self._say({"type": "session_started", "resumed": True, "audio_received_ms": kept.position * MS})
        for answer in missed:
            self._say(answer)

    def _begin(self) -> None:
        self._open = None
        self._pending.clear()

    def _accept(self, values: list[int]) -> None:
        vad, audio = self.kept.config["vad_enabled"], self.kept.audio
        for value in values:
            audio.append(value)
            if value & 1 or not vad:
                self._speech_end = len(audio)
                if self._open is None:
                    self._open = len(audio) - 1
                    self.kept.segments += 1
                    self._vad_event("speech_start")
            elif self._open is not None and len(audio) - self._speech_end >= ENDPOINT:
                self._close(None)

    def _flush(self, flush_id: str) -> None:
        if self._open is None:
            at = len(self.kept.audio)
            self.kept.segments += 1
            self._pending.append(Segment(self._name(), at, at, flush_id))
        else:
            self._close(flush_id)

    def _close(self, flush_id: str | None) -> None:
        if self._open is not None:
            self._vad_event("speech_end")
            self._pending.append(Segment(self._name(), self._open, len(self.kept.audio), flush_id))
            self._open = None

    def _finish(self) -> None:
        if self.ending in ("completed", "timeout") and not self._pending:
            self.kept.over = True
            total_ms = len(self.kept.audio) * MS
            self._say({"type": "session_ended", "reason": self.ending, "total_audio_ms": total_ms, "total_segments": 0})

    def _name(self) -> str:
        return f"seg-{self.kept.segments:04d}"

    def _vad_event(self, state: str) -> None:
        if self.kept.config["vad_enabled"]:
            t_ms = self._speech_end * MS
            self._say({"type": "vad_event", "state": state, "t_ms": t_ms, "segment_id": self._name()})

    def _say(self, message: dict[str, Any]) -> None:
        self.outgoing.append(json.dumps({"session_id": self.session_id, **message}))
