"""A card that can be used and one that cannot, on a machine without any: the driver and the libraries are stand-ins."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import pytest

from workers.decoder import sentence
from workers.engines import cuda, trial

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "gpu.md").read_text()
LIBGOMP = next(Path(ctranslate2.__file__).parent.with_name("ctranslate2.libs").glob("libgomp*"))
"""A library that is there wherever CTranslate2 is, made to look like another."""


class Driver:
    """`libcuda.so.1`, as far as it is asked."""

    def __init__(self, version: int, code: int = 0) -> None:
        self.version, self.code = version, code

    def cuDriverGetVersion(self, into: object) -> int:  # noqa: N802 - the driver's name
        into._obj.value = self.version
        return 0

    def cuInit(self, flags: int) -> int:  # noqa: N802 - as above
        return self.code


def missing(name: str, **_: object) -> None:
    raise OSError(f"{name}: cannot open shared object file")


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (missing, r"no NVIDIA driver .*apt install nvidia-driver.*--gpus all"),
        (lambda name: Driver(11_040), r"knows CUDA 11\.4, .*needs 12\.0.*525 or newer"),
        (lambda name: Driver(12_040, cuda.DRIVERS_DIFFER), r"does not start \(cuInit: 803\).*reboot"),
        (lambda name: Driver(12_040, cuda.NO_DEVICE), r"shows no card.*nvidia-smi -L.*CUDA_VISIBLE_DEVICES"),
    ],
    ids=["no driver", "too old", "does not start", "no card"],
)
def test_the_driver_tells_why_there_is_no_device(
    monkeypatch: pytest.MonkeyPatch, driver: Callable[[str], object], said: str
) -> None:
    """In one sentence, with a command, and with the way to go on without it."""
    monkeypatch.setattr(cuda, "CDLL", driver)
    monkeypatch.setattr(cuda.platform, "machine", lambda: "x86_64")

    why = cuda.why_none()

    assert re.search(said, why), why
    assert "STT_DEVICE=cpu" in why
    assert "\n" not in why


def test_a_package_without_cuda_is_not_the_drivers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for arm64."""
    monkeypatch.setattr(cuda.platform, "machine", lambda: "aarch64")

    assert cuda.why_none() == cuda.NO_CUDA_BUILD.format(machine="aarch64")


def test_cublas_is_found_in_nvidias_wheel_and_by_its_name_from_then_on(tmp_path: Path) -> None:
    """By the real loader, in a process without LD_LIBRARY_PATH: what CTranslate2 does when it first multiplies."""
    library = tmp_path / "nvidia" / "cublas" / "lib" / "libcublas.so.12"
    library.parent.mkdir(parents=True)
    soname = LIBGOMP.name.encode()
    content = LIBGOMP.read_bytes()
    assert soname in content
    library.write_bytes(content.replace(soname, b"libcublas.so.12".ljust(len(soname), b"\0")))
    program = (
        "from ctypes import CDLL\nfrom workers.engines import cuda\n"
        "try:\n    CDLL('libcublas.so.12')\nexcept OSError:\n    print('not yet')\n"
        "cuda.load_libraries()\nCDLL('libcublas.so.12')\nprint('found')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split("\n")[:2] == ["not yet", "found"]


def test_without_cublas_it_is_told_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a model is fetched for it."""
    monkeypatch.setattr(cuda, "CDLL", missing)

    with pytest.raises(cuda.CudaUnavailable, match=r"libcublas\.so\.12.*pip install .*requirements/cuda\.txt"):
        cuda.load_libraries()


@pytest.mark.parametrize(
    ("vendor", "kind", "is_one"),
    [("0x10de", "0x030200", True), ("0x10de", "0x040300", False), ("0x8086", "0x030000", False)],
    ids=["a card", "its sound", "another's card"],
)
def test_a_card_is_seen_on_the_bus_without_its_driver(tmp_path: Path, vendor: str, kind: str, is_one: bool) -> None:
    device = tmp_path / "sys" / "bus" / "pci" / "devices" / "0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")

    assert cuda.is_card_here(tmp_path) is is_one


@pytest.mark.parametrize("part", cuda.MENDED)
def test_what_ctranslate2_says_is_told_with_what_to_do_and_is_in_the_guide(part: str) -> None:
    """Whoever searches for the message finds it."""
    error = RuntimeError(f"CUDA failed with error {part}")

    assert cuda.meaning(error) == cuda.MENDED[part]
    assert sentence(error) == f"RuntimeError: {cuda.MENDED[part]}"
    assert part in GUIDE


def test_other_errors_are_told_as_they_are() -> None:
    assert cuda.meaning(ValueError("no\n such thing")) == "no such thing"


def test_a_trial_decodes_a_second() -> None:
    """With a model of its own."""
    assert trial.decode("cpu", "int8") == "int8_float32"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["cpu", "int8"], 0, "cpu decodes as int8_float32\n"),
        (["cpu", "float16"], 1, f"cpu cannot decode as float16: {cuda.MENDED['do not support efficient']}\n"),
    ],
)
def test_a_trial_tells_what_came_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, said: str
) -> None:
    """In a sentence, and by its exit status."""
    monkeypatch.setattr(sys, "argv", ["trial", *arguments])

    assert trial.main() == status
    assert capsys.readouterr().out == said


def test_a_trial_on_a_card_that_is_not_there_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for CTranslate2's own words."""
    monkeypatch.setattr(trial.ctranslate2, "get_cuda_device_count", lambda: 0)
    monkeypatch.setattr(cuda, "CDLL", missing)
    monkeypatch.setattr(cuda.platform, "machine", lambda: "x86_64")

    with pytest.raises(cuda.CudaUnavailable, match="no NVIDIA driver"):
        trial.decode("cuda", "float16")
