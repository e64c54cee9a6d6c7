"""What Deepgram's parameters for the text of a transcript are here: formatting, redaction."""

from transcription.core.dialects.dialect import Query
from transcription.core.protocol import FinalTranscript, RedactType, Word
from transcription.core.text.formatting import words_as_written

_NUMBERS: tuple[RedactType, ...] = ("cpf", "card", "phone")
_REDACTS: dict[str, tuple[RedactType, ...]] = {
    "pci": ("card",),
    "credit_card": ("card",),
    "pii": ("cpf", "phone", "email"),
    "phone_number": ("phone",),
    "email_address": ("email",),
    "numbers": _NUMBERS,
    "aggressive_numbers": _NUMBERS,
    "true": _NUMBERS,
}
"""Values of `redact` (developers.deepgram.com/docs/redaction), as far as they are kinds of ours."""


def redacts(query: Query) -> list[RedactType]:
    """What the session is asked to redact; values that are no kinds of ours ask for nothing."""
    return [kind for value in query.texts("redact") for kind in _REDACTS.get(value.lower(), ())]


def formats(query: Query) -> bool:
    """Whether transcripts are to be formatted."""
    return query.flag("smart_format") or query.flag("numerals")


def formatted(final: FinalTranscript) -> tuple[str, list[Word]]:
    """A final's text as it is written, with the words of each entity as one; else as it was said."""
    if not isinstance(final.text_formatted, str) or not isinstance(final.entities, list):
        return final.text, final.words
    return final.text_formatted, words_as_written(final.text, final.words, final.entities)
