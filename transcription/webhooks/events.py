"""What there is to tell of a session, noted for the endpoints that want it: in the transaction of its record."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Q

from transcription.core.protocol import FinalTranscript
from transcription.core.session.effects import RecordClosed
from transcription.core.webhooks import Envelope, EventType, closed_event_id, encode, segment_event_id
from transcription.models import Delivery, Session, Webhook

NEEDED = ("pk", "uid", "session_id", "external_id", "api_key_id", "api_key_name", "language")
"""Columns of a session that its events are made of."""
_WANTED = {
    EventType.SEGMENT_FINAL: Q(active=True, segment_final=True),
    EventType.SESSION_CLOSED: Q(active=True, session_closed=True),
}


def segment_final(session: Session, final: FinalTranscript, when: datetime, *, texts: bool) -> None:
    """A segment has its final; without `texts` all but what was said is told."""

    def data() -> dict[str, Any]:
        transcript = msgspec.to_builtins(final)
        if not texts:
            transcript |= {"text": "", "words": []}
            transcript.pop("text_formatted", None)
            transcript.pop("entities", None)
        return {"session": _about(session), "transcript": transcript, "texts": texts}

    _note(session, EventType.SEGMENT_FINAL, segment_event_id(session.uid, final.segment_id), when, data)


def session_closed(session: Session, record: RecordClosed, when: datetime) -> None:
    """A session is over."""

    def data() -> dict[str, Any]:
        return {
            "session": _about(session),
            "reason": record.reason,
            "resumable": record.resumable,
            "total_audio_ms": record.total_audio_ms,
            "total_segments": record.total_segments,
            "errors": record.errors,
        }

    _note(session, EventType.SESSION_CLOSED, closed_event_id(session.uid), when, data)


def _about(session: Session) -> dict[str, Any]:
    return {
        "uid": session.uid,
        "session_id": session.session_id,
        "external_id": session.external_id or None,
        "api_key": session.api_key_name or None,
        "language": session.language,
    }


def _note(
    session: Session, event_type: EventType, event_id: str, when: datetime, data: Callable[[], dict[str, Any]]
) -> None:
    """One row an endpoint that wants it; `data` is made only if there is one."""
    whose = Q(api_key=None) | Q(api_key=session.api_key_id)
    webhooks = list(Webhook.objects.filter(_WANTED[event_type], whose).values_list("pk", flat=True))
    if not webhooks:
        return
    body = encode(Envelope(type=event_type, timestamp=when.isoformat(), data=data()))
    until = when + timedelta(seconds=settings.STT.webhook_window_s)
    Delivery.objects.bulk_create(
        [
            Delivery(
                webhook_id=webhook,
                session=session,
                event_id=event_id,
                event_type=event_type,
                body=body,
                created=when,
                due=when,
                until=until,
            )
            for webhook in webhooks
        ],
        ignore_conflicts=True,  # a record that is written again, its first answer having been lost
    )
