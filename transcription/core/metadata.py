"""What a client may say of a session for people to find it by: an id of its own, and tags."""

from typing import Annotated

import msgspec

MAX_EXTERNAL_ID, MAX_TAG, MAX_TAGS = 128, 64, 16
"""Characters of an id and of a tag, and tags of a session."""

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TAG)]


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start_session.metadata`: printable text, kept in the session's record and told to nobody else."""

    external_id: Annotated[str, msgspec.Meta(max_length=MAX_EXTERNAL_ID)] | None = None
    """What the call is named elsewhere."""
    tags: Annotated[list[Tag], msgspec.Meta(max_length=MAX_TAGS)] | None = None

    def __post_init__(self) -> None:
        # controls and halves of characters: no database takes them all, and nobody can see them
        if not (self.external_id or "").isprintable():
            raise ValueError("external_id: expected printable characters")
        if not all(tag.isprintable() for tag in self.tags or ()):
            raise ValueError("tags: expected printable characters")


NOTHING = Metadata()
