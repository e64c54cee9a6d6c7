"""Which language is spoken, where that is to be found out: decided on the first seconds, changed on strong evidence.

Each final says how likely the languages are that it may be in (`core/languages.py`). What they say adds up, to a bound.
Until one is `SURE` each utterance is written in what it and those before make likeliest; from then on all are written
in that one, until another is as sure: after two utterances that are clearly in it, or three.
"""

from collections.abc import Mapping, Sequence

from transcription.core.languages import MOST_EVIDENCE, likeliest

PRIOR = 1.0
"""What speaks for the language that is expected before anything is heard (natural logarithm of odds)."""
SURE = 2.0
"""Lead from which a language is decided on, and from which another takes its place."""
MOST_LEAD = 2 * MOST_EVIDENCE
"""However long one is spoken, a few utterances change it."""


class SpokenLanguage:
    """Of one channel of a session; `code` is Whisper's code of it, as far as is known."""

    def __init__(self, code: str, among: Sequence[str] = (), *, decided: bool = False) -> None:
        """It is `code`, or may be any `among`; `decided`: as if it had been found out already."""
        self.code = code
        self._decided = decided
        self._scores = {each: 0.0 if each == code else -(SURE if decided else PRIOR) for each in among}

    @property
    def detected(self) -> bool:
        """Whether it is to be found out."""
        return bool(self._scores)

    @property
    def known(self) -> dict[str, float]:
        """For a job: what speaks for each language; one that is decided on is beyond what an utterance can say."""
        here = self._scores.get(self.code, 0.0)
        most = -MOST_EVIDENCE if self._decided else 0.0
        return {each: 0.0 if each == self.code else min(score - here, most) for each, score in self._scores.items()}

    def hear(self, heard: Mapping[str, float]) -> None:
        """Take what a final says of it; nothing where it has no text."""
        if not heard or not self._scores:
            return
        scores = {each: score + heard.get(each, -MOST_EVIDENCE) for each, score in self._scores.items()}
        best = likeliest(self._scores, heard)
        second = max((score for each, score in scores.items() if each != best), default=-MOST_LEAD)
        if not self._decided:
            self.code, self._decided = best, scores[best] - second >= SURE
        elif scores[best] - scores[self.code] >= SURE:
            self.code = best
        self._scores = {each: max(score - scores[best], -MOST_LEAD) for each, score in scores.items()}
