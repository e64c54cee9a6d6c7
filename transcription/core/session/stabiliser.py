"""What of a growing hypothesis may be trusted: words that two hypotheses in a row agree on.

LocalAgreement-2 (Liu, Spanakis, Niehues: "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
Partial Hypothesis Selection", Interspeech 2020; as in ufal/whisper_streaming). Stricter in one thing: a hypothesis'
last word is never agreed on, because the audio may end inside it and punctuation after it is a guess.
"""


class Stabiliser:
    """Feed it hypotheses of ever more audio; its stable words only grow."""

    def __init__(self) -> None:
        self._previous: list[str] = []
        self.stable: list[str] = []
        """The agreed words, from the first on."""

    def feed(self, text: str) -> None:
        """Take the next hypothesis, which begins with the stable words unless it is to be ignored."""
        words = text.split()
        if words[: len(self.stable)] != self.stable:
            return
        limit = min(len(words), len(self._previous)) - 1
        agreed = len(self.stable)
        while agreed < limit and words[agreed] == self._previous[agreed]:
            agreed += 1
        self.stable, self._previous = words[:agreed], words

    def commit(self) -> list[str]:
        """Hand the stable words over and forget them: the next hypothesis begins after them."""
        committed, self.stable = self.stable, []
        self._previous = self._previous[len(committed) :]
        return committed
