"""What tests of the real engine share."""

from pathlib import Path

import pytest

from workers.engines.model_store import resolve
from workers.engines.whisper import WhisperEngine


@pytest.fixture(scope="package")
def engine() -> WhisperEngine:
    """With the embedded model."""
    model = resolve("base", None, "~/.cache/whisper-stt")
    return WhisperEngine(Path(model), "cpu", "int8", cpu_threads=1, lanes=1)
