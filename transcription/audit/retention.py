"""Forgetting: sessions past their retention, sessions somebody wants erased."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from transcription.audit import text_index
from transcription.cluster.capacity import probe_client
from transcription.core.contract import keyspace
from transcription.models import BulkPart, Delivery, Segment, Session, Tag

BATCH = 200
"""Sessions deleted in one transaction: web processes write in between."""


def purge(before: datetime) -> int:
    """Delete the sessions that were over by `before`; how many. One without an end is over: its process has died."""
    return delete(Session.objects.filter(Q(ended_at=None) | Q(ended_at__lt=before), started_at__lt=before))


def delete(chosen: QuerySet[Session]) -> int:
    """Delete sessions with their segments and undelivered events, a batch at a time; how many."""
    count = 0
    for batch in _batches(chosen):
        delete_some(batch)
        count += len(batch)
    if count:
        text_index.forget()
    return count


def delete_some(keys: Sequence[int]) -> None:
    """Delete the sessions with these keys and all that hangs on them; `text_index.forget` is to follow."""
    with transaction.atomic():
        for table in (Segment, Tag, BulkPart, Delivery):  # a statement each: the cascade would load them all
            table.objects.filter(session__in=keys).delete()
        Session.objects.filter(pk__in=keys).delete()


def forget(session: Session) -> None:
    """Delete what Redis holds of a session that is over: audio, copies of results, what its call's listeners were told.

    It would lapse within minutes, of a call without an end within the hour.

    Of a final that a worker is just decoding a copy may come still, and lapse. Raises `redis.RedisError`.
    """
    client = probe_client()
    index = [entry.decode() for entry in client.smembers(keyspace.index_key(session.uid)) if isinstance(entry, bytes)]
    call = keyspace.call_key(str(session.api_key_id or ""), keyspace.call_of(session.session_id))
    client.delete(*keyspace.session_keys(session.uid, session.session_id, index), call)


def _batches(chosen: QuerySet[Session]) -> Iterator[list[int]]:
    while batch := list(chosen.order_by("started_at").values_list("pk", flat=True)[:BATCH]):
        yield batch
