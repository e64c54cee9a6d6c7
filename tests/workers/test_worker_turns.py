"""A worker that is asked how likely a turn is over, beside its text."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness.echo import heard
from harness.stack import Stack
from tests.workers.test_worker import PCM, job
from transcription.core.contract import jobs
from transcription.core.contract.jobs import Transcript
from workers import metrics
from workers.engines.echo import EchoEngine
from workers.turns import TurnJudge, TurnModel
from workers.worker import Worker

Ask = Callable[..., Transcript]


@pytest.fixture
def ask(echo_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """A worker's answer, of one with this model."""
    workers: list[Worker] = []

    def answer(name: str, model: TurnModel | None, **fields: object) -> Transcript:
        worker = Worker(EchoEngine(), echo_stack.redis, name, turns=TurnJudge(model, 1) if model else None)
        workers.append(worker)
        told: list[Transcript] = []
        monkeypatch.setattr(worker.publisher, "tell", lambda job, payload: told.append(jobs.decode_result(payload)))
        echo_stack.redis.set(f"stt:audio:test:{name}", PCM, ex=10)
        worker.do(job(name, **fields))
        assert told[0].text == heard(PCM)
        return told[0]

    yield answer
    for worker in workers:
        worker.decoder.close()


def counted(outcome: str) -> float:
    return metrics.registry.get_sample_value("stt_worker_turns_total", {"outcome": outcome}) or 0.0


def test_a_turn_is_judged_by_its_final_s_audio(ask: Ask) -> None:
    """All of it, as the engine is given it; and counted."""
    given: list[np.ndarray] = []
    before = counted("judged")

    answer = ask("turn-judged", lambda audio: given.append(audio) or 0.25, turn=True)
    assert answer.turn_probability == 0.25
    assert (given[0] * 32768).astype("<i2").tobytes() == PCM
    assert counted("judged") == before + 1


@pytest.mark.parametrize(
    ("name", "model", "turn"), [("turn-none", None, True), ("turn-unasked", lambda _: 0.25, False)]
)
def test_nobody_judges_what_is_not_asked_or_cannot_be(ask: Ask, name: str, model: TurnModel | None, turn: bool) -> None:
    """Then nothing is known of it."""
    assert ask(name, model, turn=turn).turn_probability is None


def test_a_text_does_not_wait_for_a_slow_judgement(ask: Ask) -> None:
    """It goes without, which is counted."""
    goes_on = threading.Event()
    before = counted("late")

    answer = ask("turn-late", lambda _: float(goes_on.wait()), turn=True)
    goes_on.set()
    assert answer.turn_probability is None
    assert counted("late") == before + 1


def test_a_model_that_fails_spoils_no_text(ask: Ask) -> None:
    """Nor does the next turn fail with it."""
    before = counted("failed")

    assert ask("turn-failed", lambda _: 1 / 0, turn=True).turn_probability is None
    assert counted("failed") == before + 1
