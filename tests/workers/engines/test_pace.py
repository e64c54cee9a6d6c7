"""A card that is not there: how long its decodes take, and the engine that takes as long."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from sttproject import env
from transcription.core.contract.jobs import Job, Kind, job_by_itself
from workers import bootstrap
from workers.engines import echo, pace
from workers.engines.engine import EngineError
from workers.engines.pace import Pace

SLOW = Pace(
    name="slow", device="cuda", compute_type="float16", measured=False, encode_ms=50.0, encode_audio_ms=1.0,
    encode_square_ms=0.0, generate_ms=0.0, step_ms=1.0, step_row_ms=0.1, align_ms=5.0, align_each_ms=1.0,
    slowdown=(1.0, 2.0),
)  # fmt: skip


def job(kind: Kind = Kind.FINAL, beam: int = 5) -> Job:
    return job_by_itself("j", kind, language="pt", beam_size=beam, word_timestamps=kind is Kind.FINAL)


def audio(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 16_000), np.float32)


def test_a_pace_is_read_as_it_was_written(tmp_path: Path) -> None:
    pace.write(SLOW, tmp_path / "pace.json")

    assert pace.read(tmp_path / "pace.json") == SLOW


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1, "other": 2}'])
def test_what_is_no_pace_is_named_with_what_was_expected(tmp_path: Path, text: str) -> None:
    """A typo stops the start."""
    (tmp_path / "pace.json").write_text(text)

    with pytest.raises(ValueError, match=r"pace\.json is no pace .*expected a JSON object with name, device"):
        pace.read(tmp_path / "pace.json")


def test_the_longest_text_of_a_batch_decides_and_its_window_is_the_real_ones() -> None:
    """3 s and 8 s of a final share a window, the shortest; 19 s want more, with two of silence."""
    took = echo.batch_ms(SLOW, [(job(), 3.0), (job(), 8.0)])

    assert took == pytest.approx(50 + 2 * 20 * 1.0 + 40 * (1 + 0.1 * 2 * 5) + 7 + 2 * 6)
    assert echo.batch_key(job(), 3.0) == echo.batch_key(job(), 8.0) != echo.batch_key(job(), 19.0)
    assert echo.batch_key(job(), 3.0) != echo.batch_key(job(Kind.PARTIAL, 1), 3.0)
    assert echo.batch_ms(SLOW, [(job(), 3.0), (job(), 8.0)], 30) == pytest.approx(took + 2 * 10 * 1.0)


def test_the_engine_takes_as_long_and_lanes_at_once_take_longer() -> None:
    """A sleep is never shorter than it was asked to be."""
    engine = echo.PacedEngine(SLOW)
    request = engine.prepare(job(Kind.PARTIAL, 1), audio(4.0))
    alone_s = echo.batch_ms(SLOW, [(request.job, 4.0)]) / 1000
    took: list[float] = []

    def lane() -> None:
        began = time.perf_counter()
        engine.decode([request])
        took.append(time.perf_counter() - began)

    lane()
    lanes = [threading.Thread(target=lane) for _ in range(2)]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()

    assert took[0] >= alone_s
    assert max(took[1:]) >= 2 * alone_s
    assert (engine.device, engine.compute_type, engine.max_batch) == ("cuda", "float16", 16)
    assert echo.PacedEngine(SLOW, max_batch=32).max_batch == 32


def test_it_echoes_what_it_was_given() -> None:
    """As the engine without a pace does."""
    engine = echo.PacedEngine(SLOW)
    request = engine.prepare(job(Kind.PARTIAL, 1), audio(1.0))

    assert engine.decode([request]) == [echo.EchoEngine().decode([request])[0]]


def test_a_worker_keeps_the_pace_of_the_file_that_is_set_or_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it takes a job."""
    pace.write(SLOW, tmp_path / "pace.json")
    chosen = env.load(engine="echo", echo_pace=str(tmp_path / "pace.json"), max_batch=32, min_final_window_s=30)
    monkeypatch.setattr(settings, "STT", chosen)
    engine = bootstrap._engine(1)
    assert (engine.device, engine.max_batch) == ("cuda", 32)
    short, long = (engine.prepare(job(), audio(seconds)) for seconds in (3.0, 13.0))
    assert short.key == long.key, "both have the window of 30 s"

    monkeypatch.setattr(settings, "STT", env.load(engine="echo", echo_pace=str(tmp_path / "none.json")))
    with pytest.raises(EngineError, match=r"STT_ECHO_PACE: .*none\.json is no pace of a card"):
        bootstrap._engine(1)
