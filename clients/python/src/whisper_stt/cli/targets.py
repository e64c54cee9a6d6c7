"""Where transcripts are written: worked out and tried before the first minute of work."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from whisper_stt.cli.streams import OutputError
from whisper_stt.errors import OptionError
from whisper_stt.session.words import _

FORMATS = ("txt", "srt", "vtt", "json")


class Target(NamedTuple):
    """A file to be written."""

    path: Path
    named: bool
    """By the user, and so it may be there already."""

    def write(self, text: str) -> None:
        """Write all of it, in UTF-8 with LF; raises `OutputError`."""
        try:
            with self.path.open("wb" if self.named else "xb") as file:
                file.write(text.encode(errors="replace"))
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from None


def format_of(kind: str | None, output: str | None) -> str:
    """The format: what was asked for, or else what the output's name says, or else text."""
    suffix = Path(output or "").suffix[1:].lower()
    return kind or (suffix if suffix in FORMATS else "txt")


def plan(files: Sequence[str], output: str | None, kind: str) -> list[Target | None]:
    """Each input's file; `None` is standard output.

    Args:
        files: the inputs; `-` is standard input.
        output: `--output`: a file, a directory for a file each, or standard output (`-` or nothing).
        kind: the format.

    Raises `OptionError` for what could not be written, or would overwrite an input, another transcript, or what the
    user did not name.
    """
    if files.count("-") > 1:
        raise OptionError(_("- (standard input) is given twice: it can be read once"))
    if output in (None, "-"):
        return [None] * len(files)
    if not output:
        raise OptionError(_("--output is empty: expected a file or a directory"))
    try:
        if len(files) == 1 and not output.endswith(("/", os.sep)) and not Path(output).is_dir():
            return [_named(Path(output), Path(files[0]))]
        return list(_in_directory(Path(output), files, kind))
    except OSError as error:
        raise OptionError(f"--output {output}: {error.strerror}") from None


def _named(path: Path, source: Path) -> Target:
    if not path.parent.is_dir():
        told = _("--output {path}: there is no directory {directory}")
        raise OptionError(told.format(path=path, directory=path.parent))
    if path.exists() and source.exists() and path.samefile(source):
        raise OptionError(_("--output {path} is the input: expected another file").format(path=path))
    _try(path)
    return Target(path, named=True)


def _in_directory(directory: Path, files: Sequence[str], kind: str) -> list[Target]:
    if directory.exists() and not directory.is_dir():
        told = _("--output {path} is a file: expected a directory, for a file each of the inputs")
        raise OptionError(told.format(path=directory))
    owners: dict[str, str] = {}
    targets = []
    for name in files:
        stem = "stdin" if name == "-" else Path(name).stem
        path = directory / f"{stem}.{kind}"
        if other := owners.get(os.path.normcase(path)):
            told = _("--output {directory}: {one} and {other} would both be written to {path}")
            raise OptionError(told.format(directory=directory, one=other, other=name, path=path))
        if os.path.lexists(path):
            told = _("--output {directory}: {path} is there already: expected a directory without it")
            raise OptionError(told.format(directory=directory, path=path))
        owners[os.path.normcase(path)] = name
        targets.append(Target(path, named=False))
    directory.mkdir(parents=True, exist_ok=True)
    for target in targets:
        _try(target.path)
    return targets


def _try(path: Path) -> None:
    """Open it as if to write, and leave all as it was; not pipes and devices, which would notice."""
    if path.is_file():
        path.open("r+b").close()
    elif not os.path.lexists(path):
        path.open("xb").close()
        path.unlink()
