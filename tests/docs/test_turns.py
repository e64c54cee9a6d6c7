"""The examples of docs/turns.md are what the rules do."""

import re
from pathlib import Path

import msgspec
import pytest

from transcription.core import protocol
from transcription.core.config import VadConfig
from transcription.core.session.turns import Verdict, judge, silence_ms

TEXT = (Path(__file__).parents[2] / "docs/turns.md").read_text()
ROWS = re.findall(r"^\| ([^|`]+) \| (open|neutral|complete) \|$", TEXT, re.MULTILINE)
MODES = re.findall(r"^\| `(\w+)` \| (\d+) ms \| (\d+) ms \| (\d+) ms \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("said", "verdict"), ROWS, ids=[said for said, _ in ROWS])
def test_what_is_said_is_judged_so(said: str, verdict: str) -> None:
    """As the table has it."""
    assert judge(said).name.lower() == verdict


def test_every_mode_has_these_silences() -> None:
    """By default."""
    shown = {mode: [int(open_ms), int(neutral), int(complete)] for mode, open_ms, neutral, complete in MODES}
    verdicts = (Verdict.OPEN, Verdict.NEUTRAL, Verdict.COMPLETE)

    assert shown == {
        mode: [silence_ms(verdict, VadConfig(turn_mode=mode)) for verdict in verdicts]
        for mode in protocol.TurnMode.__args__
    }


def test_the_message_is_one() -> None:
    """The service takes it."""
    (message,) = re.findall(r"^```json\n(.*?)\n```$", TEXT, re.MULTILINE)

    assert protocol.decode(message) == msgspec.json.decode(message, type=protocol.Configure)
