"""The pages in Portuguese say what the English ones do, as far as names and commands go."""

import re
from pathlib import Path

import pytest

from sttproject import env

ROOT = Path(__file__).parents[2]
PAGES = ["README.pt-BR.md", "docs/quickstart.pt-BR.md", "docs/privacy.pt-BR.md"]


def commands(page: str) -> set[str]:
    """What stands in blocks of bash, without remarks."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return {line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()} - {""}


def names(page: str) -> set[str]:
    """Settings, tables and keys of Redis."""
    return set(re.findall(r"`((?:STT_|stt:|transcription_|axes_)[^`]*)`", (ROOT / page).read_text()))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_setting_that_there_is_not(page: str) -> None:
    named = set(re.findall(r"\b(STT_[A-Z_]+|LANGUAGE_CODE|TIME_ZONE)\b", (ROOT / page).read_text()))

    assert named <= env.variables().keys() | env.CLIENT_VARIABLES


def test_the_page_on_privacy_has_the_same_names() -> None:
    assert names("docs/privacy.pt-BR.md") == names("docs/privacy.md")


def test_the_readme_has_commands_of_the_english_one() -> None:
    """But for the name of a key."""
    english = {command.replace("createapikey me", "createapikey eu") for command in commands("README.md")}

    assert commands("README.pt-BR.md") <= english


def test_its_settings_have_the_defaults_there_are() -> None:
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (.+?) \|", (ROOT / PAGES[0]).read_text(), re.MULTILINE)
    told = {
        name: default
        for named, defaults in rows
        for name, default in zip(re.findall(r"`(.+?)`", named), re.findall(r"`(.+?)`", defaults), strict=True)
    }
    table = (ROOT / "docs/configuration.md").read_text()

    assert told == {name: re.search(rf"^\| `{name}` \| `(.+?)` \|", table, re.MULTILINE)[1] for name in told}
