"""What an image holds, laid out on this machine: the files its stage copies, the requirements it installs."""

import hashlib
import re
import shutil
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


class Image:
    """A target of the Dockerfile: its files in `app`, the programs of its environment in `bin`."""

    def __init__(self, target: str, directory: Path) -> None:
        self.app = directory / target
        self.venv = ROOT / f".venv-image-{target}"
        for source, name in copied(target):
            place = self.app / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place)
        self._install(target)

    @property
    def bin(self) -> Path:
        """Where python, celery and daphne are."""
        return self.venv / "bin"

    def command(self, *arguments: str) -> list[str]:
        """The image's ENTRYPOINT, less tini, with a CMD."""
        return [str(self.app / "deploy" / "entrypoint.sh"), *arguments]

    def distributions(self) -> set[str]:
        """What pip has installed."""
        (site,) = (self.venv / "lib").glob("python*/site-packages")
        return {path.name.split("-")[0].lower().replace("_", "-") for path in site.glob("*.dist-info")}

    def _install(self, target: str) -> None:
        """Anew whenever the list or the way it is installed has changed."""
        arguments = pip_install(target)
        key = hashlib.sha256(" ".join(arguments).encode() + (ROOT / arguments[-1]).read_bytes()).hexdigest()
        stamp = self.venv / "stamp"
        if stamp.exists() and stamp.read_text() == key:
            return
        venv.create(self.venv, clear=True, with_pip=True)
        subprocess.run([self.bin / "python", "-m", "pip", "-q", *arguments], cwd=ROOT, check=True)
        stamp.write_text(key)


def copied(target: str) -> list[tuple[Path, str]]:
    """What the stage copies from the build context, with its place under /app."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", stage(target), re.MULTILINE)
    found = []
    for line in lines:
        *sources, place = line.split()
        for source in sources:
            name = place if source.endswith("/") else f"{place.removesuffix('./')}{Path(source).name}"
            found.append((ROOT / source, name.rstrip("/")))
    return found


def pip_install(target: str) -> list[str]:
    """How the image's requirements are installed: the arguments of pip."""
    builder = re.search(r"^COPY --from=(\S+) /opt/venv", stage(target), re.MULTILINE)
    text = stage(builder[1] if builder else target)
    (line,) = re.findall(r"pip (install [^$]*-r requirements/\w+\.txt)(?: \$\{OTEL:\+[^}]*\})?$", text, re.MULTILINE)
    return line.split()


def stage(name: str) -> str:
    """A stage of the Dockerfile."""
    (text,) = re.findall(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return text
