"""Words as they are written, from the pieces that faster-whisper times.

A piece of its begins at every punctuation mark, so that "dar-lhe" is "dar" and "-lhe", "3,5" is "3" and ",5"; where
words are written apart, a piece without a space before it belongs to the word before (faster_whisper/tokenizer.py
`split_tokens_on_spaces`).
"""

from typing import Any

from transcription.core.protocol import Word

UNSPACED = {"ja", "lo", "my", "th", "yue", "zh"}
"""Languages whose pieces are characters (faster_whisper/tokenizer.py `split_to_word_tokens`)."""


def words(pieces: list[dict[str, Any]], language: str, audio_s: float) -> list[Word]:
    """A segment's words, in seconds from its beginning and none past its end.

    `pieces` are `word` (the space before it included), `start`, `end` and `probability`. A word is as probable as its
    least probable piece, and lasts as long as those that are not punctuation.
    """
    whole: list[dict[str, Any]] = []
    for piece in (piece for piece in pieces if piece["word"].strip()):
        sounds = _sounds(piece["word"])
        if not whole or piece["word"][0].isspace() or (language in UNSPACED and sounds):
            whole.append(dict(piece))
            continue
        last = whole[-1]
        if sounds:
            last["start"] = last["start"] if _sounds(last["word"]) else piece["start"]
            last["end"] = piece["end"]
            last["probability"] = min(last["probability"], piece["probability"])
        last["word"] += piece["word"]
    return [
        Word(
            word=word["word"].strip(),
            start=round(min(float(word["start"]), audio_s), 3),
            end=round(min(float(word["end"]), audio_s), 3),
            probability=round(float(word["probability"]), 3),
        )
        for word in whole
    ]


def readable(text: str) -> str:
    """The text, unless nobody could read it aloud: "...", "♪"."""
    return text if _sounds(text) else ""


def _sounds(text: str) -> bool:
    return any(map(str.isalnum, text))
