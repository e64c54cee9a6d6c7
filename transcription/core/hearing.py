"""What messages say of who is heard, and in which language: fields that several of them share.

They are there only where they were asked for: with two channels, and with a language that is detected.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from transcription.core.languages import AUTO, normalise_language

MOST_CHANNELS = 2
MOST_LANGUAGES = 10


class Languages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which language a client says is spoken."""

    lang_code: str | None = None
    """Of one that Whisper knows, or `auto`: it is to be found out."""
    languages: Annotated[list[str], msgspec.Meta(min_length=2, max_length=MOST_LANGUAGES)] | None = None
    """Those that it may be; only with `auto`."""

    def __post_init__(self) -> None:
        if self.lang_code not in (None, AUTO) and normalise_language(self.lang_code) is None:
            message = (
                f"lang_code: expected a Whisper language code such as `pt`, or `auto`, got `{self.lang_code[:20]}`"
            )
            raise ValueError(message)
        if self.languages is not None and self.lang_code != AUTO:
            raise ValueError("languages: expected only with lang_code `auto`")
        if unknown := [code for code in self.languages or () if normalise_language(code) is None]:
            raise ValueError(f"languages: expected Whisper language codes such as `pt`, got `{unknown[0][:20]}`")


class OfChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one channel."""

    channel: int | msgspec.UnsetType = msgspec.UNSET
    """Counted from 0; left out of a session of one."""


class InLanguage(OfChannel, frozen=True, kw_only=True):
    """A transcript of one channel, in a language that may have been found out."""

    language: str | msgspec.UnsetType = msgspec.UNSET
    """Whisper's code of the text's; left out unless languages are detected."""


class Among(msgspec.Struct, frozen=True, kw_only=True):
    """The languages that a session's is found among."""

    language: str | msgspec.UnsetType = msgspec.UNSET
    """What is taken for spoken until more is known; left out unless languages are detected."""
    languages: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Those that it may be; left out with it."""


def check_channels(channels: int | None, names: Sequence[str] | None) -> None:
    """Raises `ValueError` for names that are not one a channel, each printable and in one line."""
    if names is None:
        return
    if len(names) != (channels or 1):
        raise ValueError(f"channel_names: expected {channels or 1}, got {len(names)}")
    if not all(0 < len(name) <= 32 and name.isprintable() and name.strip() for name in names):
        raise ValueError("channel_names: expected 1 to 32 printable characters each")
