"""What of a growing hypothesis may be trusted: what two in a row agree on, up to where the model has its doubts.

LocalAgreement-2 (Liu, Spanakis, Niehues: "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
Partial Hypothesis Selection", Interspeech 2020; as in ufal/whisper_streaming). Stricter in one thing: a hypothesis'
last word is never agreed on, because the audio may end inside it and punctuation after it is a guess.

The next hypothesis begins with the agreed words, so that a wrong one stays, and only the final can put it right. What
is told as stable therefore ends before the first of them that the model doubts.
"""


class Stabiliser:
    """Feed it hypotheses of ever more audio; its words only grow."""

    def __init__(self) -> None:
        self.agreed: list[str] = []
        """The words that the next hypothesis is to begin with."""
        self.stable: list[str] = []
        """The words to rely on, those committed before included."""
        self._previous: list[str] = []
        self._committed: list[str] = []

    def feed(self, text: str, sure: int | None = None) -> None:
        """Take the next hypothesis, which begins with the agreed words unless it is to be ignored.

        `sure`: so many of its words, from the first on, are more likely than all else; `None`: nobody said.
        """
        words = text.split()
        if words[: len(self.agreed)] != self.agreed:
            return
        limit = min(len(words), len(self._previous)) - 1
        agreed = len(self.agreed)
        while agreed < limit and words[agreed] == self._previous[agreed]:
            agreed += 1
        self.agreed, self._previous = words[:agreed], words
        known = [*self._committed, *self.agreed]
        relied_on = len(known) if sure is None else len(self._committed) + min(sure, agreed)
        if len(self.stable) >= len(self._committed):  # no word that was doubted lies before this window
            self.stable = known[: max(relied_on, len(self.stable))]

    def settle(self, words: list[str]) -> bool:
        """Take words for granted that all hypotheses from now on come after; not where they are not what is stable.

        Returns whether they were taken.
        """
        if words[: len(self.stable)] != self.stable:
            return False
        self.agreed, self._previous = [], []
        self._committed, self.stable = [*words], [*words]
        return True

    def commit(self) -> list[str]:
        """Hand the agreed words over: the next hypothesis begins after them."""
        committed, self.agreed = self.agreed, []
        self._committed += committed
        self._previous = self._previous[len(committed) :]
        return committed
