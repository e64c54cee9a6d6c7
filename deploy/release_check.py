"""Whether a tag may be published: `python deploy/release_check.py v1.2.3` exits with what is in the way.

The first job of `.github/workflows/release.yml`; the standard library is all it needs.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = {
    "transcription/views.py": r'^VERSION = "(.+)"$',
    "clients/python/pyproject.toml": r'^version = "(.+)"$',
    "clients/livekit_plugin/version.py": r'^__version__ = "(.+)"$',
    "deploy/k8s/kustomization.yaml": r"^    newTag: (.+)$",
    "CHANGELOG.md": r"^## (\d\S*)",
}
"""Where the one version stands; in the changelog the newest comes first."""

UNFILLED = "to be filled in by who publishes"


def versions(root: Path) -> dict[str, str]:
    """The version that each place names."""
    found = {name: re.search(pattern, (root / name).read_text(), re.MULTILINE) for name, pattern in VERSIONS.items()}
    return {name: match[1] if match else "none" for name, match in found.items()}


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """What keeps a tag from being published, a sentence each."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+((a|b|rc)\d+)?", tag):
        return [f"{tag} is no version: expected v1.2.3 or v1.2.3rc1"]
    wrong = [f"{name} names {version}, not {tag[1:]}" for name, version in versions(root).items() if version != tag[1:]]
    if UNFILLED in (root / "SECURITY.md").read_text():
        wrong.append("SECURITY.md names no contact: fill it in")
    return wrong


if __name__ == "__main__":
    sys.exit("\n".join(problems(sys.argv[1] if sys.argv[1:] else "")) or 0)
