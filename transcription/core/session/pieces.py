"""The finished pieces of an utterance that is not over: finals decoded in a pause that was not its end.

What was decoded ahead and then overtaken by more speech is right as far as it goes. Where it is long enough it is kept,
and the next decode begins after it: a final then costs what was said last and not all that was said. The cut lies
in a pause, behind the silence that made it one; docs/performance.md has what pieces of which length gain and cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from transcription.core.audio import samples_from_ms
from transcription.core.config import SAMPLE_RATE, VadConfig
from transcription.core.contract.jobs import Job, Transcript
from transcription.core.protocol import Word

CLAUSE = 0.6
"""How much of the silence that ends an utterance follows a piece: a cut in a shorter pause costs words behind it."""
REST = 1 / 8
"""What must follow a piece for a decode to begin there, in pieces: a word by itself is heard worse than with others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a segment and what it says; positions in samples from the segment's first."""

    start: int
    end: int
    answer: Transcript


@dataclass(slots=True)
class Pieces:
    """A segment's, in order; none is ever changed, but a longer one may stand for several."""

    least: int
    """How long a piece is at least, in samples; 0: nothing is kept."""
    pause: int
    """How many samples of silence follow it at least."""
    _pieces: tuple[Piece, ...] = field(default=(), init=False)

    @staticmethod
    def of(vad: VadConfig) -> "Pieces":
        """As the options have it."""
        silence = CLAUSE * vad.min_silence_ms - vad.speculate_ms
        return Pieces(samples_from_ms(vad.piece_ms), samples_from_ms(max(silence, 0.0)))

    def are_worth(self, job: Job, samples: int, *, at_ease: bool) -> bool:
        """Whether a final's answer is worth keeping where speech goes on after so many samples.

        Where nobody is at ease any pause will do: not to decode it again is worth more than a word.
        """
        end = samples if job.end is None else job.end
        return 0 < self.least <= end - job.start and (samples - end >= self.pause or not at_ease)

    def keep(self, before: tuple[Piece, ...], job: Job, answer: Transcript) -> bool:
        """Keep an answer that is worth it, with those `before` that its job went on from, if it has text.

        Unless more is known already; returns whether it is kept. What is known by now may be other pieces than those.
        """
        if not answer.text or answer.audio_end <= self.end:
            return False
        self._pieces = (*before, Piece(job.start, answer.audio_end, answer))
        return True

    @property
    def words(self) -> list[str]:
        """What they say, but for a full stop at the end, of which what follows decides."""
        if not self._pieces:
            return []
        said = _in_a_row([piece.answer for piece in self._pieces])
        return [word for answer in [*said[:-1], _open(said[-1])] for word in answer.text.split()]

    @property
    def end(self) -> int:
        """Where the last one ends."""
        return self._pieces[-1].end if self._pieces else 0

    def for_final(self, samples: int) -> tuple[Piece, ...]:
        """Those that a final of a segment of so many samples need not decode again."""
        latest = samples - int(REST * self.least)
        return tuple(piece for piece in self._pieces if piece.end <= latest)


def joined(pieces: Sequence[Piece], start: int, rest: Transcript) -> Transcript:
    """The answer for a whole segment: its pieces', and that of the rest, which begins at `start` (samples).

    What it cost is what the rest cost: the pieces were there before. A rest without text is not told as dropped where
    there is a text all the same.
    """
    if not pieces:
        return rest
    said = _in_a_row([*(piece.answer for piece in pieces), *([rest] if rest.text else [])])
    starts = [*(piece.start for piece in pieces), start]
    return replace(
        rest,
        text=" ".join(answer.text for answer in said),
        confidence=sum(answer.confidence * len(answer.text) for answer in said) / sum(len(one.text) for one in said),
        words=[
            _later(word, at / SAMPLE_RATE) for at, answer in zip(starts, said, strict=False) for word in answer.words
        ],
        dropped=None,
        language=pieces[0].answer.language,
        evidence=pieces[0].answer.evidence,
    )


def _in_a_row(answers: Sequence[Transcript]) -> list[Transcript]:
    """The answers, of which each follows the one before.

    A model ends what it hears with a full stop, because the audio ends. Where what follows begins with a small letter
    the sentence goes on.
    """
    goes_on = [following.text[0].islower() for following in answers[1:]]
    return [*(_open(one) if open_ else one for one, open_ in zip(answers, goes_on, strict=False)), answers[-1]]


def _open(answer: Transcript) -> Transcript:
    words = [*answer.words[:-1], *(replace(word, word=_without_stop(word.word)) for word in answer.words[-1:])]
    return replace(answer, text=_without_stop(answer.text), words=words)


def _without_stop(text: str) -> str:
    return text if text.endswith("..") else text.removesuffix(".")


def _later(word: Word, by_s: float) -> Word:
    return replace(word, start=round(word.start + by_s, 3), end=round(word.end + by_s, 3))
