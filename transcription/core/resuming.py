"""How far a session's answers go (its checkpoint): what another connection needs to go on with it."""

import re

import msgspec

from transcription.core.protocol import Error, FinalTranscript

MAX_ANSWERS = 16
"""How many answers are kept for a client that has missed them."""

_SEGMENT_ID = re.compile(r"seg-(\d{4,9})", re.ASCII)


def segment_name(number: int) -> str:
    """The `segment_id` of a session's segment, counted from 1."""
    return f"seg-{number:04d}"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session's answers go."""

    segments: int = 0
    """How many segments are answered."""
    position: int = 0
    """Where the last of them ends, in samples at 16 kHz: what follows has to be heard, again if need be."""
    answers: tuple[FinalTranscript | Error, ...] = ()
    """The last of them, `MAX_ANSWERS` at most."""

    def plus(self, answer: FinalTranscript | Error, end: int) -> "Checkpoint":
        """The checkpoint with the next segment's answer; `end` is where that segment ends (samples at 16 kHz)."""
        return Checkpoint(segments=self.segments + 1, position=end, answers=(*self.answers, answer)[-MAX_ANSWERS:])

    def after(self, last_segment_id: str | None) -> "Checkpoint | None":
        """The checkpoint for a client whose last answer is `last_segment_id`'s: `answers` are those it has missed.

        `None` when some of them are not kept any more. The client may be ahead of what was written down when its web
        process died; segments are then counted from its last one on, so that no name is used twice.
        """
        name = _SEGMENT_ID.fullmatch(last_segment_id or "")
        had = min(int(name[1]) if name else 0, self.segments + MAX_ANSWERS)
        missed = max(self.segments - had, 0)
        if missed > len(self.answers):
            return None
        answers = self.answers[len(self.answers) - missed :]
        return Checkpoint(segments=max(self.segments, had), position=self.position, answers=answers)


def encode(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as Redis keeps it (MessagePack)."""
    return msgspec.msgpack.encode(checkpoint)


def decode(payload: bytes) -> Checkpoint:
    """What `encode` wrote. Raises `msgspec.DecodeError` for anything else."""
    return msgspec.msgpack.decode(payload, type=Checkpoint)
