"""Build the clients' packages: sdists, and wheels made from these; then have twine check them.

    python deploy/packages.py [OUT] [--repository URL]

Built from copies, since setuptools leaves files beside its sources; links become what they lead to, and each package
gets the licence. `../../docs` is nowhere on an index: with the URL under which the repository's files are shown, links
of the READMEs lead there, and the package names it. Needs build, twine and setuptools of `requirements/dev.txt`.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = ("python", "livekit_plugin")
BUILT = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", ".*")


def main() -> None:
    """Build both into an empty directory; exits with what failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "dist", help="(dist)")
    parser.add_argument("--repository", help="where its files are shown: https://HOST/OWNER/NAME/blob/TAG")
    arguments = parser.parse_args()
    if arguments.out.exists() and any(arguments.out.iterdir()):
        parser.error(f"{arguments.out} is not empty")
    with tempfile.TemporaryDirectory() as work:
        for client in CLIENTS:
            copy = _copy(client, Path(work), arguments.repository)
            _run("build", "--quiet", "--no-isolation", "--outdir", arguments.out.resolve(), copy)
    _run("twine", "check", "--strict", *sorted(arguments.out.iterdir()))


def _copy(client: str, work: Path, repository: str | None) -> Path:
    """A client's sources as they are published."""
    copy = work / client
    shutil.copytree(ROOT / "clients" / client, copy, ignore=BUILT)
    shutil.copy(ROOT / "LICENSE", copy)
    if repository:
        readme, project = copy / "README.md", copy / "pyproject.toml"
        readme.write_text(_absolute(readme.read_text(), repository))
        project.write_text(
            f'{project.read_text()}\n[project.urls]\nRepository = "{repository.partition("/blob/")[0]}"\n'
        )
    return copy


def _absolute(text: str, repository: str) -> str:
    """The README of a client with its relative links made absolute."""
    return text.replace("](../../", f"]({repository}/").replace("](../", f"]({repository}/clients/")


def _run(module: str, *arguments: object) -> None:
    if code := subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=False).returncode:
        sys.exit(code)


if __name__ == "__main__":
    main()
