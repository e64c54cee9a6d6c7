"""What is new in a text that was held to begin with another one's: a sentence that goes on after a pause."""

from dataclasses import replace

import msgspec

from transcription.core.protocol import Word
from workers.engines import repetition
from workers.engines.engine import Hypothesis


def rest(both: Hypothesis, known: str, known_s: float, audio_s: float) -> Hypothesis | None:
    """What was heard after the words that were known, in the audio after `known_s` of `audio_s`; times are of that.

    `None` where that is not to be believed: nothing, a loop, or what the known words end with once more; or where it
    goes on in the last of them ("123" was "123-456"), so that what of it is new is not a word; or where words are
    written without spaces, so that their times are those of characters.
    """
    words, count = both.text.split(), len(known.split())
    said = words[count:]
    text = " ".join(said)
    echo = _plain(said) == _plain(words[:count])[-len(said) :]
    if not said or echo or _plain(words[:count]) != _plain(known.split()):
        return None
    if repetition.is_loop(text, audio_s - known_s) or (both.words and len(both.words) != len(words)):
        return None
    return replace(both, text=text, words=[_earlier(word, known_s) for word in both.words[-len(said) :]])


def _plain(words: list[str]) -> list[str]:
    return [word.strip(".,;:!?…").lower() for word in words]


def _earlier(word: Word, by_s: float) -> Word:
    start, end = (max(round(at - by_s, 3), 0.0) for at in (word.start, word.end))
    return msgspec.structs.replace(word, start=start, end=end)
