"""One session whose finals are known beforehand: what it was owed, what came, what it was told.

The echo engine's text is computed from the samples it was given, so each final is checked against the audio sent.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import websockets

from harness.audio import BYTES_PER_S, FRAME, frames, noise, silence, speech
from harness.echo import heard
from harness.talker import Received, Talker

SILENCE = 9_600
"""Samples at the end of a segment that its final may not have been decoded from: nobody speaks in them."""
CLIPS = ("s01_pm_alex", "s06_pf_dora", "s13_pm_alex", "s24_pf_dora")


@dataclass(slots=True)
class Owed:
    """A segment that must be answered."""

    asked_at: float
    """When its endpoint was asked for, or told; `time.perf_counter` seconds."""
    span: tuple[int, int] | None
    """Its samples within the session; `None` where the VAD decides."""
    answered_at: float | None = None
    finals: int = 0
    pieces: int = 0
    """From how many decodes the last final is."""
    wrong: list[str] = field(default_factory=list)
    told: bool = False
    """By an `error` that names it, or by the session's end."""


@dataclass(slots=True)
class Conversation:
    """A session and its account."""

    session_id: str
    vad: bool
    owed: dict[str, Owed] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    ended: dict[str, Any] | None = None
    refused: bool = False
    closed: str = ""
    """How the connection ended, when `session_ended` did not come first."""
    cut: bool = False
    """Its web process was killed."""
    unexpected: list[str] = field(default_factory=list)
    """Finals for segments that were never asked for."""
    sent: bytearray = field(default_factory=bytearray)

    async def run(self, url: str, rng: random.Random, utterances: int, patience_s: float) -> None:
        """Talk, in real time, and listen to the end."""
        try:
            async with Talker(url, open_timeout=20, close_timeout=2) as talker:
                config = {"vad_enabled": self.vad, "partial_results": rng.random() < 0.5}
                answer = await talker.start(session_id=self.session_id, config=config)
                if answer["type"] == "error":
                    self.refused = True
                    self.errors.append(answer)
                    return
                await talker.converse(self._speak(talker, rng, utterances), patience_s, self._hear)
                if self.ended is None:
                    self.closed = f"{talker.ws.close_code} {talker.ws.close_reason}"
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            self.closed = f"{type(error).__name__}: {error}"
        finally:
            self.refused |= bool(self.closed) and not self.owed
            self.sent.clear()

    def lost(self) -> list[str]:
        """Segments nobody will hear of again."""
        return [name for name, owed in self.owed.items() if not owed.finals and not owed.told]

    async def _speak(self, talker: Talker, rng: random.Random, utterances: int) -> None:
        began = time.perf_counter()
        for pcm in self._utterances(rng, utterances):
            start = len(self.sent)
            await talker.send_frames(self._counted(pcm), began + start / BYTES_PER_S)
            if not self.vad:
                span = (start // 2, len(self.sent) // 2)
                self.owed[f"seg-{len(self.owed) + 1:04d}"] = Owed(time.perf_counter(), span)
                await talker.say("flush")
        await talker.say("end_session")

    def _counted(self, pcm: bytes) -> Iterator[bytes]:
        for frame in frames(pcm, 2 * FRAME):
            self.sent += frame
            yield frame

    def _utterances(self, rng: random.Random, count: int) -> Iterator[bytes]:
        for _ in range(count):
            if self.vad:  # a pause within is long enough to be decoded in, and too short for an endpoint
                first, second = rng.choices(CLIPS, k=2)
                yield speech(first) + silence(0.25) + speech(second) + silence(rng.uniform(0.6, 1.2))
            else:
                yield noise(rng.uniform(0.3, 2.5), rng.getrandbits(32))

    def _hear(self, received: Received) -> None:
        now, message = received
        match message:
            case {"type": "vad_event", "state": "speech_end", "segment_id": segment_id}:
                self.owed[segment_id] = Owed(now, None)
            case {"type": "final_transcript", "segment_id": segment_id}:
                self._hear_final(segment_id, message, now)
            case {"type": "error"}:
                self.errors.append(message)
                if owed := self.owed.get(message.get("segment_id", "")):
                    owed.told, owed.answered_at = True, now
            case {"type": "session_ended", "reason": reason}:
                self.ended = message
                for owed in self.owed.values():
                    if not owed.finals and reason != "completed":
                        owed.told, owed.answered_at = True, now

    def _hear_final(self, segment_id: str, message: dict[str, Any], now: float) -> None:
        owed = self.owed.get(segment_id)
        if owed is None:
            self.unexpected.append(segment_id)
            return
        owed.finals += 1
        owed.pieces = len(message["text"].split()) // 2
        owed.answered_at = now
        start = round(message["audio_start_ms"] * 16)
        end = start + round(message["audio_duration_ms"] * 16)
        if owed.span not in (None, (start, end)) or not self._heard(message["text"], start, end):
            owed.wrong.append(f"{segment_id}: {message['text']!r} of {start}–{end}, expected {owed.span}")

    def _heard(self, text: str, start: int, end: int) -> bool:
        """Whether the engine said this of these samples, in pieces that follow each other without a hole.

        One that was asked for ahead of the endpoint had not all the silence.
        """
        if not self.vad:
            return heard(self.sent[2 * start : 2 * end]) == text
        words = text.split()
        at: int | None = start
        for said in zip(words[::2], words[1::2], strict=True):
            if at is not None:
                at = self._end_of(" ".join(said), at)
        return at is not None and end - SILENCE <= at <= end

    def _end_of(self, said: str, start: int) -> int | None:
        """Where the samples end that the engine said this of; `None` if it cannot have."""
        least = start + int(said.split()[0]) * 16
        ends = range(least, least + 16)
        return next((end for end in ends if heard(self.sent[2 * start : 2 * end]) == said), None)
