"""Writes the golden files: `python -m tests.golden`, part of `make docs`."""

from tests.golden.conversations import CONVERSATIONS, HERE, recorded

for name in CONVERSATIONS:
    (HERE / f"{name}.jsonl").write_text(recorded(name))
