"""What is looked for before anything is started or downloaded, where a test can stand in for the hardware."""

import pytest

from launcher import preflight
from sttproject import env


def test_a_gpu_without_cublas_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """CTranslate2 itself would say so after the download."""

    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(preflight, "cuda_devices", lambda: 1)
    monkeypatch.setattr(preflight, "CDLL", missing)

    with pytest.raises(preflight.LaunchError, match=r"libcublas\.so\.12.*requirements/cuda\.txt"):
        preflight.device(env.load(device="cuda"))
