"""Texts as the tokens that a model itself would write them in.

The tokenizers that are published for the multilingual models lack their first merge, of a space and a "t": " tem" is
then " " and "tem", which no model writes, and which it finds unlikely by some ten orders of magnitude. Where texts are
weighed against each other, that would decide it.
"""

import json

from tokenizers import Tokenizer

FIRST_MERGE = ["Ġ", "t"]
"""As byte-level BPE writes a space and a "t"."""


def repaired(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with its first merge, where that is missing and its token is there."""
    vocabulary = json.loads(tokenizer.to_str())
    model = vocabulary["model"]
    if FIRST_MERGE in model["merges"] or "".join(FIRST_MERGE) not in model["vocab"]:
        return tokenizer
    model["merges"].insert(0, FIRST_MERGE)
    return Tokenizer.from_str(json.dumps(vocabulary))
