"""An NVIDIA card for CTranslate2: the libraries it wants, and in one sentence why a card cannot be used.

CTranslate2 4.8.5 has the CUDA runtime in itself and opens `libcublas.so.12` by name when it first multiplies. NVIDIA's
wheels put that where no loader looks; a library that is loaded already is found by its name (glibc, dlopen(3)), so it
is loaded here by its path, and nobody has to set LD_LIBRARY_PATH.
"""

import platform
from ctypes import CDLL, RTLD_GLOBAL, byref, c_int
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = ("libnvrtc.so.12", "libcublasLt.so.12", "libcublas.so.12")
"""In the order in which they need each other; the last is the one that must be there."""
LEAST_CUDA = 12_000
"""What a driver must know, as `cuDriverGetVersion` says it: CUDA 12.0, so 525 or newer."""
NO_DEVICE, DRIVERS_DIFFER = 100, 803
"""Of `cuInit`: CUDA_ERROR_NO_DEVICE, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH."""

ON_THE_CPU = "or use the CPU: STT_DEVICE=cpu STT_COMPUTE_TYPE=int8"
NO_DRIVER = (
    "no NVIDIA driver is found from here (libcuda.so.1): sudo apt install nvidia-driver and reboot; in a container: "
    f"the NVIDIA Container Toolkit and docker run --gpus all; {ON_THE_CPU}."
)
OLD_DRIVER = (
    "the NVIDIA driver knows CUDA {major}.{minor}, and CTranslate2 needs 12.0: upgrade it to 525 or newer (sudo apt "
    f"install nvidia-driver, and reboot); {ON_THE_CPU}."
)
DRIVER_FAILS = (
    "the NVIDIA driver does not start (cuInit: {code}): nvidia-smi must work first; after an upgrade of the driver "
    f"reboot; {ON_THE_CPU}."
)
NO_CARD = (
    "the NVIDIA driver shows no card: see nvidia-smi -L and CUDA_VISIBLE_DEVICES; in a container: docker run --gpus "
    f"all; {ON_THE_CPU}."
)
NO_CUDA_BUILD = f"CTranslate2's package for {{machine}} has no CUDA; {ON_THE_CPU}."
NO_CUBLAS = (
    "there is no cuBLAS 12 to use the card with ({error}): .venv/bin/pip install --no-deps -r requirements/cuda.txt; "
    f"{ON_THE_CPU}."
)
MENDED = {
    "out of memory": "the card's memory is full: nvidia-smi shows by what; end that, or set "
    "STT_COMPUTE_TYPE=int8_float16, or a smaller STT_WHISPER_MODEL.",
    "CUBLAS_STATUS_ALLOC_FAILED": "the card's memory is full: nvidia-smi shows by what; end that, or set "
    "STT_COMPUTE_TYPE=int8_float16, or a smaller STT_WHISPER_MODEL.",
    "driver version is insufficient": "the NVIDIA driver is too old, or not there: upgrade it to 525 or newer (sudo "
    f"apt install nvidia-driver, and reboot); {ON_THE_CPU}.",
    "libcublas.so.12 is not found": "cuBLAS 12 cannot be loaded: .venv/bin/pip install --no-deps -r "
    f"requirements/cuda.txt; {ON_THE_CPU}.",
    "no kernel image": "CTranslate2's package has no code for this card (nvidia-smi -L names it): take another card; "
    f"{ON_THE_CPU}.",
    "do not support efficient": "the device does not compute in that type: set STT_COMPUTE_TYPE=float32.",
}
"""What CTranslate2's messages mean, by a part of each."""


class CudaUnavailable(Exception):
    """A card cannot be used; the message says in one sentence why, and what to do."""


def load_libraries() -> None:
    """Have cuBLAS in this process, from NVIDIA's wheels if they are installed. Raises `CudaUnavailable`."""
    try:
        for name in LIBRARIES:
            if where := _wheel(name):
                CDLL(str(where), mode=RTLD_GLOBAL)
        CDLL(LIBRARIES[-1])
    except OSError as error:
        raise CudaUnavailable(NO_CUBLAS.format(error=error)) from None


def why_none() -> str:
    """Why CTranslate2 finds no CUDA device here, as the driver tells it."""
    machine = platform.machine()
    if machine != "x86_64":
        return NO_CUDA_BUILD.format(machine=machine)
    try:
        driver = CDLL("libcuda.so.1")
    except OSError:
        return NO_DRIVER
    version = c_int()
    if driver.cuDriverGetVersion(byref(version)) == 0 and 0 < version.value < LEAST_CUDA:
        return OLD_DRIVER.format(major=version.value // 1000, minor=version.value % 1000 // 10)
    code = driver.cuInit(0)
    return NO_CARD if code in (0, NO_DEVICE) else DRIVER_FAILS.format(code=code)


def is_card_here(system: Path = Path("/")) -> bool:
    """Whether the machine has an NVIDIA card, with a driver or without: by the PCI bus and the driver's own files."""
    for device in system.glob("sys/bus/pci/devices/*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):  # a display or 3D controller
            return True
    return (system / "proc/driver/nvidia/version").exists()


def meaning(error: Exception) -> str:
    """What an error of CTranslate2 means and what to do; the error itself where it is not one of a device."""
    said = " ".join(str(error).split())
    return next((sentence for part, sentence in MENDED.items() if part in said), said)


def _wheel(name: str) -> Path | None:
    """Where one of NVIDIA's wheels has a library: `nvidia/<package>/lib/<name>`."""
    spec = find_spec("nvidia")
    places = spec.submodule_search_locations if spec else None
    return next((found for place in places or () for found in sorted(Path(place).glob(f"*/lib/{name}"))), None)
