"""What the admin does with a session besides showing it: who holds it, cancel, erase, export."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db.models import Field

from transcription.audit import retention
from transcription.cluster.capacity import probe_client
from transcription.core import subtitles
from transcription.core.contract import keyspace
from transcription.core.contract.messages import CANCEL_TYPE, CancelMessage
from transcription.core.languages import PORTUGUESE
from transcription.core.protocol import Word
from transcription.core.subtitles import Said
from transcription.core.text.formatting import format_text, words_as_written
from transcription.models import Segment, Session


def held(sessions: Iterable[Session]) -> set[int]:
    """Primary keys of the sessions that a web process holds now. Raises `redis.RedisError`.

    A session without an end that none holds was lost with its process.
    """
    asked = list(sessions)
    owners = probe_client().mget([keyspace.lease_key(session.session_id) for session in asked]) if asked else []
    return {session.pk for session, owner in zip(asked, owners, strict=True) if owner == session.uid.encode()}


def live_uids() -> set[str]:
    """Of all sessions that web processes hold now; no more than the cluster has places. Raises `redis.RedisError`."""
    client = probe_client()
    names = cast("list[bytes]", client.zrange(keyspace.SESSIONS_KEY, 0, -1))
    owners = client.mget([keyspace.lease_key(name.decode()) for name in names]) if names else []
    return {owner.decode() for owner in cast("list[bytes | None]", owners) if owner}


def tags(session: Session) -> list[str]:
    """What it may be found by, in alphabetical order."""
    return sorted(tag.name for tag in session.tags.all())


def cancel(session: Session) -> None:
    """Have a live session ended by the web process that holds it. Raises `redis.RedisError`."""
    message = CancelMessage(type=CANCEL_TYPE)
    async_to_sync(get_channel_layer().group_send)(keyspace.group_name(session.uid), message)


def erase(session: Session) -> None:
    """Delete a session's rows and whatever of it is left in Redis. Raises `redis.RedisError`, with nothing deleted."""
    retention.forget(session)
    retention.delete(Session.objects.filter(pk=session.pk))


def as_json(session: Session, segments: Sequence[Segment], *, transcripts: bool) -> str:
    """Everything recorded; texts and words only with `transcripts`, those of Portuguese sessions formatted besides."""
    hidden = {"id", "session", "session_id"} | (set() if transcripts else {"text", "words", "dropped"})
    about = {field.attname: getattr(session, field.attname) for field in Session._meta.fields if field.name != "id"}
    about["tags"] = tags(session)
    rows = [
        {
            field.attname: getattr(segment, field.attname)
            for field in Segment._meta.fields
            if field.attname not in hidden
        }
        for segment in segments
    ]
    for row, segment in zip(rows, segments, strict=True):
        if segment.channel is not None:
            row["speaker"] = speaker(session, segment)
        if transcripts and is_portuguese(session, segment):
            formatted = format_text(row["text"], msgspec.convert(row["words"], list[Word]))
            row |= {"text_formatted": formatted.text, "entities": formatted.entities}
    whole = {"session": about, "transcripts": transcripts, "segments": rows}
    return msgspec.json.format(msgspec.json.encode(whole)).decode()


def speaker(session: Session, segment: Segment) -> str:
    """Who says a segment: the name that the client gave to its channel, or its number; nothing where there is one."""
    if segment.channel is None:
        return ""
    names = session.config.get("channel_names") or ()
    return names[segment.channel] if segment.channel < len(names) else f"channel {segment.channel}"


def is_portuguese(session: Session, segment: Segment) -> bool:
    """Whether a segment's text has rules for how it is written."""
    return (segment.language or session.language) == PORTUGUESE


def said(session: Session, segments: Iterable[Segment], *, formatted: bool = False) -> list[Said]:
    """Segments as the text formats take them; `formatted`: those in Portuguese as Brazilians write it."""
    told = [(segment, _said(session, segment)) for segment in segments]
    return [as_written(each) if formatted and is_portuguese(session, segment) else each for segment, each in told]


def _said(session: Session, segment: Segment) -> Said:
    return Said(
        start=segment.start_ms / 1000,
        duration=segment.duration_ms / 1000,
        text=segment.text,
        words=[(word["word"], word["start"], word["end"]) for word in segment.words],
        speaker=speaker(session, segment),
    )


def as_written(segment: Said) -> Said:
    """A segment as Brazilians write it."""
    words = [Word(word=word, start=start, end=end, probability=1.0) for word, start, end in segment.words]
    formatted = format_text(segment.text, words)
    written = words_as_written(segment.text, words, formatted.entities)
    return replace(segment, text=formatted.text, words=[(word.word, word.start, word.end) for word in written])


def txt(segments: Sequence[Said]) -> str:
    """One line a segment; none for those without text."""
    return "".join(
        f"{segment.speaker}: {segment.text}\n" if segment.speaker else f"{segment.text}\n"
        for segment in segments
        if segment.text
    )


TEXT_FORMATS: dict[str, tuple[str, Callable[[Sequence[Said]], str]]] = {
    "srt": ("application/x-subrip", subtitles.srt),
    "vtt": ("text/vtt", subtitles.vtt),
    "txt": ("text/plain", txt),
}
"""By file name extension: media type and writer."""


def facts(session: Session, names: Iterable[str]) -> list[tuple[str, Any]]:
    """Fields for a page: label and value, those that have one."""
    return [
        (str(cast("Field[Any, Any]", session._meta.get_field(name)).verbose_name), value)
        for name in names
        if (value := getattr(session, name)) not in ("", None)
    ]
