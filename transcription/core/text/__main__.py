"""`python -m transcription.core.text`: a sentence a line in, a JSON object a line out."""

import argparse
import sys
from typing import get_args

import msgspec

from transcription.core.protocol import RedactType
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction


def main() -> None:
    """Format what is typed or piped in, line by line."""
    parser = argparse.ArgumentParser("python -m transcription.core.text", description=__doc__)
    parser.add_argument("--whole-cards", action="store_true", help="card numbers with all their digits")
    parser.add_argument("--redact", nargs="+", choices=get_args(RedactType), default=(), help="what to keep out")
    options = parser.parse_args()
    for line in sys.stdin:
        text, _ = Redaction(options.redact).final(line.rstrip("\r\n"), ())
        formatted = format_text(text, whole_cards=options.whole_cards)
        found = {"text_formatted": formatted.text, "entities": formatted.entities}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
