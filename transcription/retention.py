"""Forgetting: sessions past their retention, sessions somebody wants erased."""

from collections.abc import Iterator
from datetime import datetime

import redis
from django.db import transaction
from django.db.models import Q, QuerySet

from transcription.models import Segment, Session

BATCH = 200
"""Sessions deleted in one transaction: web processes write in between."""


def purge(before: datetime) -> int:
    """Delete the sessions that were over before; how many. One without an end, its process having died, is over."""
    return delete(Session.objects.filter(Q(ended_at=None) | Q(ended_at__lt=before), started_at__lt=before))


def delete(chosen: QuerySet[Session]) -> int:
    """Delete sessions with their segments, a batch at a time; how many."""
    count = 0
    for batch in _batches(chosen):
        with transaction.atomic():
            Segment.objects.filter(session__in=batch).delete()  # one statement: the cascade would load them all
            Session.objects.filter(pk__in=batch).delete()
        count += len(batch)
    return count


def forget(client: redis.Redis, session: Session) -> None:
    """Delete what Redis holds of a session: audio, and copies of results, which would lapse within minutes."""
    client.delete(f"stt:resume:{session.session_id}")
    for key in client.scan_iter(f"stt:*{session.uid}*", count=1_000):
        client.delete(key)


def _batches(chosen: QuerySet[Session]) -> Iterator[list[int]]:
    while batch := list(chosen.order_by("started_at").values_list("pk", flat=True)[:BATCH]):
        yield batch
