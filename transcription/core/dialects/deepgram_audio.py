"""What Deepgram's parameters for a live stream's audio are here: samples, or a container to be unpacked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from transcription.core.dialects.dialect import ENCODINGS, Query, Step, Unpack

DEFAULT_RATE = 16_000
CONTAINED = ("opus", "ogg-opus", "webm-opus", "flac", "amr-nb", "amr-wb")
"""Encodings that come in a container; `opus` without one too, a packet in each frame."""
OTHERWISE: dict[str, Literal["samples", "packets"]] = {"": "samples", "opus": "packets"}
"""What it is without a container."""
UNPARSABLE = "DATA-0000"
GARBLED = 1008
"""The code of audio that cannot be decoded, and that of the close after it."""


@dataclass(frozen=True, slots=True)
class Audio:
    """What comes, as the session hears it."""

    encoding: str
    """One of `ENCODINGS`."""
    rate: float
    unpack: Sequence[Unpack]
    """One, where it has to be looked at."""


def audio(query: Query, garbled: Callable[[str], Sequence[Step]]) -> Audio:
    """From the parameters. Raises `ValueError` that names the one that is wrong.

    Without an encoding a container is sought; what begins with none is 16-bit samples.
    """
    encoding, rate = query.text("encoding"), query.number("sample_rate", DEFAULT_RATE) or DEFAULT_RATE
    if encoding in ENCODINGS:
        return Audio(encoding, rate, [])
    if encoding and encoding not in CONTAINED:
        expected = ", ".join(("linear16", "mulaw", "alaw", *CONTAINED))
        raise ValueError(f"encoding: expected one of {expected}, got `{encoding[:20]}`")
    return Audio("linear16", rate, [Unpack(int(rate), OTHERWISE.get(encoding, "nothing"), garbled)])
