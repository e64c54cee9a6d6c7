"""The examples of docs/keyterms.md are messages that the service takes."""

import re
from pathlib import Path

import msgspec

from transcription.core import protocol

TEXT = (Path(__file__).parents[2] / "docs/keyterms.md").read_text()


def test_the_message_is_one() -> None:
    """With the terms that it names."""
    (message,) = re.findall(r"```json\n(.+?)\n```", TEXT, re.DOTALL)

    assert protocol.decode(message) == msgspec.json.decode(message, type=protocol.Configure)


def test_the_bounds_are_those_of_the_protocol() -> None:
    """As numbers."""
    assert f"up to {protocol.MOST_KEYTERMS} of up to {protocol.LONGEST_KEYTERM} characters" in TEXT
