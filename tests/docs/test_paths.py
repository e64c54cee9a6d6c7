"""What the documentation and the docstrings point at is there: files and folders in backticks, pages by their name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "transcription"
BUILT = {"site", "build", "node_modules", "staticfiles", "__pycache__"}
POINTED_AT = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|lua|js|md|toml|txt|in|html|yml|sh|conf)|(?:[\w-]+/)+)`")
PAGE_NAMED = re.compile(r"\bdocs/\w+\.md\b")
ELSEWHERE = {"plugins_pt-br.md", "site/", "name.md"}
"""Another project's page, what is built here, what is written where one says."""


def files(folder: Path) -> Iterator[Path]:
    """What is in a folder that is neither hidden nor built."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in BUILT:
            yield from files(path)
        elif path.is_file():
            yield path


FILES = list(files(ROOT))
NAMES = {path.name for path in FILES}
PAGES = [path for path in FILES if path.suffix == ".md"]
MODULES = [
    path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] not in {"tests", "clients"}
]


def pointed_at(path: Path) -> set[str]:
    """What a file names, as it names it."""
    text = path.read_text()
    return {*POINTED_AT.findall(text), *PAGE_NAMED.findall(text)} - ELSEWHERE


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_points_at_exists(page: Path) -> None:
    """From the root, or from where the page is; a bare name may be anywhere, when the text says where."""
    stale = {
        name
        for name in pointed_at(page)
        if name not in NAMES and not any((at / name).exists() for at in (ROOT, page.parent))
    }

    assert stale == set()


def test_what_docstrings_and_comments_point_at_exists() -> None:
    """From the root, the app's folder or the page's scripts; a bare name is a neighbour's."""
    stale = {
        f"{module.relative_to(ROOT)}: {name}"
        for module in MODULES
        for name in pointed_at(module)
        if not any((at / name).exists() for at in (ROOT, APP, APP / "static/transcription", module.parent))
    }

    assert stale == set()
