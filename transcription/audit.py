"""What the admin does with a session besides showing it: who holds it, cancel, erase, export."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from transcription import retention
from transcription.capacity import probe_client
from transcription.core import exports, jobs
from transcription.core.exports import Said
from transcription.core.observing import CANCEL_TYPE
from transcription.core.protocol import Word
from transcription.models import Segment, Session


def held(sessions: Iterable[Session]) -> set[int]:
    """Keys of the sessions that a web process holds now. One without an end that is not held was lost with its process.

    Raises `redis.RedisError`.
    """
    asked = list(sessions)
    owners = probe_client().mget([f"stt:session:{session.session_id}" for session in asked]) if asked else []
    return {session.pk for session, owner in zip(asked, owners, strict=True) if owner == session.uid.encode()}


def cancel(session: Session) -> None:
    """Have a live session ended by the web process that holds it. Raises `redis.RedisError`."""
    async_to_sync(get_channel_layer().group_send)(jobs.group_name(session.uid), {"type": CANCEL_TYPE})


def erase(session: Session) -> None:
    """Delete a session's rows and whatever of it is left in Redis. Raises `redis.RedisError`, with nothing deleted."""
    retention.forget(probe_client(), session)
    session.delete()


def as_json(session: Session, segments: Sequence[Segment], *, transcripts: bool) -> str:
    """Everything recorded; texts and words only with `transcripts`."""
    hidden = {"id", "session", "session_id"} | (set() if transcripts else {"text", "words"})
    about = {field.attname: getattr(session, field.attname) for field in Session._meta.fields if field.name != "id"}
    rows = [
        {
            field.attname: getattr(segment, field.attname)
            for field in Segment._meta.fields
            if field.attname not in hidden
        }
        for segment in segments
    ]
    whole = {"session": about, "transcripts": transcripts, "segments": rows}
    return msgspec.json.format(msgspec.json.encode(whole)).decode()


def said(segments: Iterable[Segment]) -> list[Said]:
    """Segments as the text formats take them."""
    return [
        Said(segment.start_ms, segment.duration_ms, segment.text, msgspec.convert(segment.words, list[Word]))
        for segment in segments
    ]


TEXT_FORMATS: dict[str, tuple[str, Callable[[Sequence[Said]], str]]] = {
    "srt": ("application/x-subrip", exports.srt),
    "vtt": ("text/vtt", exports.webvtt),
    "txt": ("text/plain", exports.txt),
}
"""By file name extension: media type and writer."""


def facts(session: Session, names: Iterable[str]) -> list[tuple[str, Any]]:
    """Fields for a page: label and value, those that have one."""
    return [
        (session._meta.get_field(name).verbose_name, value)
        for name in names
        if (value := getattr(session, name)) not in ("", None)
    ]
