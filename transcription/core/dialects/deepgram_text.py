"""What Deepgram's parameters are here that both its APIs have: formatting, redaction, tags; how its words are told."""

from typing import Any

from transcription.core.dialects.dialect import Query, taken
from transcription.core.metadata import MAX_EXTERNAL_ID, MAX_TAG, MAX_TAGS, Metadata
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


def keyterms(query: Query) -> list[str] | None:
    """What the session is to listen for: `keyterm`, and `keywords` without their intensifiers.

    A keyword of a negative one is not wanted.
    """
    keywords = (value.partition(":") for value in query.values("keywords"))
    wanted = [word for word, _, intensifier in keywords if not intensifier.startswith("-")]
    return taken([*query.values("keyterm"), *wanted]) or None


def metadata(query: Query) -> Metadata | None:
    """`tag`s as the session's, `extra=external_id:…` as its id elsewhere; cut where Deepgram takes more."""
    tags = [tag for given in query.texts("tag") if (tag := _printable(given)[:MAX_TAG])]
    extra = dict(given.split(":", 1) for given in query.texts("extra") if ":" in given)
    external_id = _printable(extra.get("external_id", ""))[:MAX_EXTERNAL_ID]
    return Metadata(external_id=external_id or None, tags=tags[:MAX_TAGS]) if tags or external_id else None


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()


def formats(query: Query) -> bool:
    """Whether transcripts are to be formatted."""
    return query.flag("smart_format") or query.flag("numerals")


def formatted(final: FinalTranscript) -> tuple[str, list[Word]]:
    """A final's text as it is written, with the words of each entity as one; else as it was said."""
    if not isinstance(final.text_formatted, str) or not isinstance(final.entities, list):
        return final.text, final.words
    return final.text_formatted, words_as_written(final.text, final.words, final.entities)


def told(word: Word, at_s: float, *, written: bool) -> dict[str, Any]:
    """A word of a segment that begins at `at_s`. `written`: whether its signs mean something, as in `R$ 120,50`."""
    said = word.word.lower()
    plain = said.strip(" .,;:!?…") if written else "".join(c for c in said if c.isalnum() or c in "-'")
    return {
        "word": plain or word.word,
        "start": round(at_s + word.start, 3),
        "end": round(at_s + word.end, 3),
        "confidence": word.probability,
        "punctuated_word": word.word,
    }
