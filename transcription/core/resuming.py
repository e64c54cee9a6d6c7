"""How far a session's answers go (its checkpoint): what another connection needs to go on with it."""

import re

import msgspec

from transcription.core.protocol import Error, FinalTranscript

MAX_ANSWERS = 16
"""How many answers are kept for a client that has missed them."""

_SEGMENT_ID = re.compile(r"seg-(?:(\d)-)?(\d{4,9})", re.ASCII)


def segment_name(number: int, channel: int | msgspec.UnsetType = msgspec.UNSET) -> str:
    """The `segment_id` of a session's segment, counted from 1; of several channels in each."""
    return f"seg-{number:04d}" if channel is msgspec.UNSET else f"seg-{channel}-{number:04d}"


def channel_of(segment_id: str) -> int:
    """The channel that `segment_name` names; 0 where it names none."""
    return int(_name(segment_id)[0])


def _name(segment_id: str) -> tuple[int, int]:
    """Channel and number; zeros of what is no segment's name."""
    found = _SEGMENT_ID.fullmatch(segment_id)
    return (int(found[1] or 0), int(found[2])) if found else (0, 0)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session's answers go."""

    segments: int = 0
    """How many segments are answered."""
    position: int = 0
    """Where the last of them ends, in samples at 16 kHz: what follows has to be heard, again if need be."""
    answers: tuple[FinalTranscript | Error, ...] = ()
    """The last of them, `MAX_ANSWERS` at most."""
    language: str = ""
    """What was spoken, where that was found out."""
    said: str = ""
    """The last text that was not empty, as it was told: what follows may go on from it."""
    channels: tuple["Checkpoint", ...] = ()
    """Each channel's own, where there are several; they have the answers then."""
    order: tuple[int, ...] = ()
    """Which channel each of the last answers was of, `MAX_ANSWERS` at most."""

    @property
    def width(self) -> int:
        """Of how many channels it is."""
        return len(self.channels) or 1

    def plus(self, answer: FinalTranscript | Error, end: int) -> "Checkpoint":
        """The checkpoint with the next segment's answer; `end` is where that segment ends (samples at 16 kHz)."""
        kept, spoken, said = (*self.answers, answer)[-MAX_ANSWERS:], self.language, self.said
        if isinstance(answer, FinalTranscript):
            spoken, said = answer.language or spoken, answer.text or said
        return Checkpoint(segments=self.segments + 1, position=end, answers=kept, language=spoken, said=said)

    def after(self, last_segment_id: str | None) -> "Checkpoint | None":
        """The checkpoint for a client whose last answer is `last_segment_id`'s: `answers` are those it has missed.

        `None` when some of them are not kept any more. The client may be ahead of what was written down when its web
        process died; segments are then counted from its last one on, so that no name is used twice.
        """
        if self.channels:
            return self._channels_after(last_segment_id or "")
        had = min(_name(last_segment_id or "")[1], self.segments + MAX_ANSWERS)
        missed = max(self.segments - had, 0)
        if missed > len(self.answers):
            return None
        answers = self.answers[len(self.answers) - missed :]
        return msgspec.structs.replace(self, segments=max(self.segments, had), answers=answers)

    # Of several channels

    def joined(self, channel: int, own: "Checkpoint") -> "Checkpoint":
        """The checkpoint with one channel's as it is now."""
        new = own.segments - self.channels[channel].segments
        channels = (*self.channels[:channel], own, *self.channels[channel + 1 :])
        return Checkpoint(channels=channels, order=(*self.order, *[channel] * new)[-MAX_ANSWERS:])

    def _channels_after(self, last_segment_id: str) -> "Checkpoint | None":
        left = [list(own.answers[len(own.answers) - self.order.count(n) :]) for n, own in enumerate(self.channels)]
        answers = [left[n].pop(0) for n in self.order if left[n]]
        position = min(own.position for own in self.channels)
        channel, number = _name(last_segment_id)
        known = [answer.segment_id for answer in answers]
        if last_segment_id in known:
            missed = tuple(answers[known.index(last_segment_id) + 1 :])
        elif not number and len(answers) == sum(own.segments for own in self.channels):
            missed = tuple(answers)
        elif channel < self.width and number > self.channels[channel].segments:
            # of either channel it may have more than was written down
            ahead = [msgspec.structs.replace(own, segments=own.segments + MAX_ANSWERS) for own in self.channels]
            return Checkpoint(channels=tuple(ahead), position=position)
        else:
            return None
        return msgspec.structs.replace(self, answers=missed, position=position)


FRESH = Checkpoint()
"""Of a session that begins."""


def encode(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as Redis keeps it (MessagePack)."""
    return msgspec.msgpack.encode(checkpoint)


def decode(payload: bytes) -> Checkpoint:
    """What `encode` wrote. Raises `msgspec.DecodeError` for anything else."""
    return msgspec.msgpack.decode(payload, type=Checkpoint)
