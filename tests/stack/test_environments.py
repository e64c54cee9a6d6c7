"""What the images install: complete for what they do, and nothing of what they do not."""

import pytest

from tests.stack.conftest import Deployment

pytestmark = pytest.mark.stack
MODEL = {"faster-whisper", "ctranslate2", "av", "tokenizers", "huggingface-hub"}


def heavy(names: set[str]) -> set[str]:
    """torch and CUDA's libraries."""
    return {name for name in names if name == "torch" or name.startswith(("nvidia", "triton", "cuda"))}


def test_web_has_no_model_and_no_cuda(deployment: Deployment) -> None:
    """And yet it runs: the other tests talk to it."""
    installed = deployment.image["web"].distributions()
    libraries = list(deployment.image["web"].venv.rglob("lib*cu*.so*"))

    assert {"daphne", "psycopg", "silero-vad"} <= installed
    assert installed & MODEL == {"av"}, "which reads what is uploaded"
    assert heavy(installed) == set()
    assert [
        path.name for path in libraries if path.name.startswith(("libcu", "libnv", "libonnxruntime_providers_cu"))
    ] == []


def test_worker_has_no_web_server_and_no_database_driver(deployment: Deployment) -> None:
    """It speaks to Redis alone."""
    installed = deployment.image["worker"].distributions()

    assert installed >= MODEL
    assert installed & {"daphne", "twisted", "psycopg", "silero-vad"} == set()
    assert heavy(installed) == set()


def test_web_files_hold_no_worker(deployment: Deployment) -> None:
    """What is copied into the images."""
    assert not (deployment.image["web"].app / "workers").exists()
    assert (deployment.image["worker"].app / "workers" / "engines" / "whisper.py").exists()
    assert not list(deployment.image["web"].app.rglob(".env*"))
