"""Recordings decoded without a service: which stretches, in which order, and what becomes of one that fails."""

from collections.abc import Sequence
from typing import Any

import pytest

from harness.audio import silence, speech
from launcher import local
from launcher.local import Wishes
from transcription.core.protocol import Error, FinalTranscript
from workers.engines.echo import EchoEngine
from workers.engines.engine import EngineError, Hypothesis, Request

PLAIN = Wishes("pt", 0.5, formats=False, redact=())
TWO = speech("s13_pm_alex") + silence(2.0) + speech("s01_pm_alex")


class Saying(EchoEngine):
    """Says what it is told to, one text a stretch; `None` fails."""

    max_batch = 8

    def __init__(self, *texts: str | None) -> None:
        super().__init__()
        self._texts = list(texts)
        self.batches: list[int] = []
        self.terms: set[tuple[str, ...]] = set()

    def decode(self, batch: Sequence[Request]) -> list[Hypothesis | EngineError]:
        self.batches.append(len(batch))
        self.terms |= {request.job.keyterms for request in batch}
        texts = [self._texts.pop(0) for _ in batch]
        return [
            EngineError("too loud", retryable=False) if text is None else Hypothesis(text, 0.9, []) for text in texts
        ]


def heard(engine: Any, wishes: Wishes = PLAIN, pcm: bytes = TWO) -> list[FinalTranscript | Error]:
    return list(local.transcribe(engine, pcm, wishes, beam_size=5))


def test_a_recording_is_cut_at_its_pauses() -> None:
    """Where the speech is, in order, decoded together where the engine can."""
    engine = Saying("um", "dois")
    first, second = heard(engine)

    assert isinstance(first, FinalTranscript) and isinstance(second, FinalTranscript)
    assert (first.text, second.text) == ("um", "dois")
    assert first.audio_start_ms + first.audio_duration_ms <= second.audio_start_ms
    assert second.audio_start_ms + second.audio_duration_ms <= len(TWO) / 32
    assert engine.batches == [2]


def test_every_sample_reaches_the_engine_as_it_was_recorded() -> None:
    """The echo engine says how much it was given."""
    (final,) = heard(EchoEngine(), pcm=speech("s13_pm_alex"))

    assert isinstance(final, FinalTranscript)
    assert final.text.split()[0] == str(int(final.audio_duration_ms))


def test_a_stretch_that_fails_is_told_and_the_next_is_heard() -> None:
    failed, final = heard(Saying(None, "dois"))

    assert isinstance(failed, Error) and (failed.segment_id, failed.message) == ("local-0", "too loud")
    assert isinstance(final, FinalTranscript) and final.text == "dois"


def test_finals_are_formatted_and_redacted_as_a_session_does_it() -> None:
    """A number that goes on in the next stretch, too."""
    wishes = Wishes("pt", 0.5, formats=True, redact=("phone",))
    first, second = heard(Saying("são cento e vinte reais", "ligue para 11 98765-4321"), wishes)

    assert isinstance(first, FinalTranscript) and isinstance(second, FinalTranscript)
    assert first.text_formatted == "são R$ 120"
    assert "98765" not in f"{second.text} {second.text_formatted}"


@pytest.mark.parametrize(("language", "terms"), [("pt", ("Sicoob",)), ("en", ())])
def test_terms_are_listened_for_in_portuguese(language: str, terms: tuple[str, ...]) -> None:
    engine = Saying("um", "dois")
    heard(engine, Wishes(language, 0.5, formats=False, redact=(), keyterms=["Sicoob"]))

    assert engine.terms == {terms}


@pytest.mark.parametrize("pcm", [b"", silence(3.0)], ids=["empty", "silence"])
def test_where_nobody_speaks_there_is_nothing(pcm: bytes) -> None:
    assert heard(Saying(), pcm=pcm) == []
