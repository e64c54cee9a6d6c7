"""Smart Turn's own file, and what it is given."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.conf import settings

from sttproject import env
from workers import bootstrap
from workers.engines.engine import EngineError
from workers.engines.model_store import ModelUnavailable, turn_model
from workers.engines.smart_turn import SmartTurn, features

AUDIO = Path(__file__).parents[2] / "audio"


def recording(name: str) -> np.ndarray:
    samples, _ = soundfile.read(AUDIO / name, dtype="float32")
    return samples


@pytest.mark.model
def test_a_sentence_sounds_over_at_its_end_only() -> None:
    """Probabilities as pipecat's own code gives them for this file (pipecat-ai 1.14.0)."""
    model = SmartTurn(turn_model("smart-turn"))
    for name, end, middle in (("s01_pm_alex.wav", 0.9901, 0.0534), ("s13_pm_alex.wav", 0.9759, 0.0250)):
        said = recording(name)

        assert model(said) == pytest.approx(end, abs=0.005)
        assert model(said[: int(said.size * 0.6)]) == pytest.approx(middle, abs=0.005)


def test_the_last_eight_seconds_are_heard() -> None:
    """What is shorter has silence before it; how loud it is does not matter."""
    said = np.random.default_rng(0).normal(0, 0.1, 3 * 16_000).astype(np.float32)
    padded = np.pad(said, (5 * 16_000, 0))

    assert features(said).shape == (80, 800)
    assert features(said).dtype == np.float32
    assert np.array_equal(features(said), features(padded))
    assert np.array_equal(features(np.pad(said, (9 * 16_000, 0))), features(padded))
    assert np.allclose(features(said * 0.25), features(said), atol=1e-3)


@pytest.mark.model
def test_a_worker_has_a_judge_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it takes a job; without the setting nothing is loaded."""
    monkeypatch.setattr(settings, "STT", env.load())
    assert bootstrap._turn_judge() is None
    monkeypatch.setattr(settings, "STT", env.load(turn_model="smart-turn"))
    judge = bootstrap._turn_judge()

    assert judge is not None
    assert judge.ask(recording("s01_pm_alex.wav")).result() == pytest.approx(0.9901, abs=0.005)
    monkeypatch.setattr(settings, "STT", env.load(turn_model="/nowhere.onnx"))
    with pytest.raises(ModelUnavailable, match="STT_TURN_MODEL"):
        bootstrap._turn_judge()


def test_a_model_that_is_not_here_is_asked_for(tmp_path: Path) -> None:
    """By its name or as a file: the setting and both ways out are named."""
    for name in ("smart-tern", str(tmp_path / "none.onnx")):
        with pytest.raises(ModelUnavailable, match=re.escape(f"STT_TURN_MODEL={name} is not here")) as failure:
            turn_model(name)
        assert "requirements/smart-turn.txt" in str(failure.value)
        assert "path of its ONNX file" in str(failure.value)


def test_another_file_is_no_turn_model(tmp_path: Path) -> None:
    """Found out at the start."""
    other = tmp_path / "other.onnx"
    other.write_bytes(b"none")

    with pytest.raises(EngineError, match=r"STT_TURN_MODEL: .*other\.onnx is no Smart Turn v3 model"):
        SmartTurn(turn_model(str(other)))
