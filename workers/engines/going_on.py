"""What is new in a text that was held to begin with another one's: a sentence that goes on after a pause."""

from dataclasses import replace

import msgspec

from transcription.core.protocol import Word
from workers.engines import repetition
from workers.engines.engine import Hypothesis


def rest(both: Hypothesis, known: str, known_s: float, audio_s: float, alone: str) -> Hypothesis | None:
    """What was heard after the words that were known, in the audio after `known_s` of `audio_s`; times are of that.

    `None` where that is not to be believed: nothing, or a loop; where it begins with what the known words end with, and
    that was not heard `alone`; where it goes on in the last of them ("123" was "123-456"), so that what of it is new is
    not a word; or where words are written without spaces, so that their times are those of characters.
    """
    words, count = both.text.split(), len(known.split())
    said = words[count:]
    text, again = " ".join(said), _again(repetition.plain(words[:count]), repetition.plain(said))
    if not said or repetition.plain(alone.split())[:again] != repetition.plain(said)[:again]:
        return None
    if repetition.plain(words[:count]) != repetition.plain(known.split()):
        return None
    if repetition.is_loop(text, audio_s - known_s) or (both.words and len(both.words) != len(words)):
        return None
    return replace(both, text=text, words=[_earlier(word, known_s) for word in both.words[-len(said) :]])


def _again(before: list[str], said: list[str]) -> int:
    """How many words of a text's beginning are the end of the one before once more."""
    return next((n for n in range(min(len(before), len(said)), 0, -1) if before[-n:] == said[:n]), 0)


def _earlier(word: Word, by_s: float) -> Word:
    start, end = (max(round(at - by_s, 3), 0.0) for at in (word.start, word.end))
    return msgspec.structs.replace(word, start=start, end=end)
