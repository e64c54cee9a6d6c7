"""What a final says as Brazilians write it: `text_formatted`, and the entities in it (docs/text.md).

`formatting.py` is the way in, `redaction.py` keeps out what nobody shall read. A sentence is cut into items
(`tokens.py`, `numbers.py`), at each of which the rules are tried in turn; the first that fits takes the items it stands
for, and what fits none stays as it is. No entity is better than a wrong one.
"""
