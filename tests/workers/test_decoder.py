"""What a decode that raises means: the segment, or the model."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from harness.waiting import until
from transcription.core.contract.jobs import Job, Kind
from workers.decoder import DECODES, PROOF_S, SEGMENTS, Decoder, UnfitError
from workers.engines.echo import EchoEngine
from workers.engines.engine import EngineError, Hypothesis, Request

AUDIO = np.zeros(1_600, np.float32)


class Breaking(EchoEngine):
    """Raises where it is told to; keeps account of what it was asked for."""

    def __init__(self, breaks: Callable[[str, int], bool]) -> None:
        super().__init__()
        self._breaks = breaks
        self.asked: list[str] = []

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        name = batch[0].job.audio_key
        self.asked.append(name)
        if self._breaks(name, len(self.asked)):
            raise RuntimeError("out of\norder")
        return super().decode(batch)


def job(segment: str) -> Job:
    return Job(
        job_id=segment, group="", segment_id=segment, kind=Kind.FINAL, audio_key=segment, overtaken_key="", number=0,
        start=0, end=None, language="pt", beam_size=1, word_timestamps=False,
    )  # fmt: skip


def decode(decoder: Decoder, *segments: str) -> list[str]:
    """What each gave: `text`, or the name of what was raised."""
    outcomes = []
    for segment in segments:
        try:
            decoder.decode(job(segment), AUDIO)
            outcomes.append("text")
        except (RuntimeError, UnfitError) as error:
            outcomes.append(type(error).__name__)
    return outcomes


def test_a_proof_decodes_with_both_beams() -> None:
    """As partials: nobody doubts what is heard in noise."""
    decoder = Decoder(engine := Breaking(lambda *_: False), lanes=1)
    proofs = decoder.prove("pt", 5)
    decoder.close()

    assert set(proofs) == {Kind.PARTIAL, Kind.FINAL}
    assert [proof.hypothesis.text.split()[0] for proof in proofs.values()] == [f"{PROOF_S * 1000}"] * 2
    assert len(engine.asked) == 2


def test_a_proof_that_fails_says_why_in_one_line() -> None:
    """With the device it fails on."""
    decoder = Decoder(Breaking(lambda *_: True), lanes=1)
    with pytest.raises(UnfitError, match=r"^The model cannot decode on cpu as none: RuntimeError: out of order$"):
        decoder.prove("pt", 5)
    decoder.close()


def test_a_segment_that_cannot_be_decoded_fails_alone() -> None:
    """However often it comes: the proofs hold, the others have their texts."""
    decoder = Decoder(Breaking(lambda name, _: name == "poison"), lanes=1)
    outcomes = decode(decoder, *["poison", "good"] * DECODES)
    decoder.close()

    assert outcomes == ["RuntimeError", "text"] * DECODES
    assert not decoder.unfit


def test_a_decode_that_fails_once_is_not_noticed() -> None:
    """It is tried again once the model is proven."""
    decoder = Decoder(Breaking(lambda _, count: count == 1), lanes=1)
    outcomes = decode(decoder, "unlucky", "next")
    decoder.close()

    assert outcomes == ["text", "text"]


def test_a_broken_model_decodes_nothing_more() -> None:
    """The proof fails, and is not asked for again."""
    decoder = Decoder(engine := Breaking(lambda _, count: count > 2), lanes=1)
    outcomes = decode(decoder, "a", "b", "c", "d")
    decoder.close()

    assert outcomes == ["text", "text", "UnfitError", "UnfitError"]
    assert engine.asked == ["a", "b", "c", ""]
    assert decoder.unfit.startswith("The model cannot decode")


def test_a_model_that_fails_on_segments_and_in_no_proof_is_broken() -> None:
    """Several of the last ones: it is not the segments."""
    decoder = Decoder(Breaking(lambda name, _: name.startswith("real")), lanes=1)
    outcomes = decode(decoder, *(name for i in range(SEGMENTS) for name in (f"real-{i}", "other")))
    decoder.close()

    assert outcomes == [*["RuntimeError", "text"] * (SEGMENTS - 1), "UnfitError", "UnfitError"]
    assert decoder.unfit.startswith("The model failed on")


def test_failures_long_past_do_not_count() -> None:
    """A poisonous segment now and then is borne."""
    decoder = Decoder(Breaking(lambda name, _: name.startswith("poison")), lanes=1)
    for i in range(2 * SEGMENTS):
        assert decode(decoder, f"poison-{i}") == ["RuntimeError"]
        assert decode(decoder, *["good"] * DECODES) == ["text"] * DECODES
    decoder.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lane_that_ends_makes_a_worker_unfit() -> None:
    """Whatever ended it: what it held is never answered, and the lanes left do not say so."""

    class Ending(EchoEngine):
        def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
            raise KeyboardInterrupt

    decoder = Decoder(Ending(), lanes=2)
    assert not decoder.why_unfit(60)
    caller = threading.Thread(target=decode, args=(decoder, "one"), daemon=True)  # is never answered
    caller.start()
    until(lambda: decoder.why_unfit(60) == "A lane has ended by itself", "the lane's end")
    decoder.close()
