"""The Lua scripts as files: their heads say what they take, and all of them are used."""

import re
from pathlib import Path

import pytest

from transcription.cluster import scripts
from workers import bootstrap

ROOT = Path(__file__).parents[2]
PATHS = [*(ROOT / "transcription").rglob("*.lua"), *(ROOT / "workers").rglob("*.lua")]
FILES = {path.stem: path.read_text() for path in PATHS}
LOADED = {name.lower(): text for name, text in (vars(scripts) | vars(bootstrap)).items() if name.isupper()}


def test_every_file_is_loaded_under_its_name() -> None:
    """And none is missing."""
    assert {name: LOADED.get(name) for name in FILES} == FILES


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("what", ["KEYS", "ARGV"])
def test_the_head_names_what_a_script_takes_in_its_order(name: str, what: str) -> None:
    """The local names are the head's; what comes any number of times is in brackets."""
    (head,) = re.findall(rf"^-- {what}: (.+)$", FILES[name], re.MULTILINE)
    taken = re.findall(rf"^local (.+) = (?:unpack\({what}\)|{what}\[1\])$", FILES[name], re.MULTILINE)

    assert taken == [head.partition(", (")[0]]


def test_what_keeps_going_when_redis_is_full_may_write() -> None:
    """All but taking a place, which has to be refused then."""
    assert {name for name, text in FILES.items() if text.startswith("#!lua flags=allow-oom\n")} == {
        "announce", "job_states", "load", "move", "release", "remember", "renew",
    }  # fmt: skip
