"""The only writer of the audit records: a bounded queue and one thread, off the audio path.

The database may be slow or down; transcription goes on. Records wait for it; those that find the queue full, or that it
refuses, are counted as lost.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import Error, InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.models import F, FloatField, Value
from django.db.models.functions import Coalesce, Greatest

from transcription import metrics
from transcription.core.admission import Holder
from transcription.core.effects import RecordClosed, RecordFailedSegment, RecordOpened, RecordSegment
from transcription.models import ApiKey, Segment, Session

logger = logging.getLogger(__name__)

MAX_PENDING = 10_000
RETRY_S = 1.0

Write = Callable[[], None]


class Recorder:
    """Writes records in order, in a thread of its own."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Write | None] = queue.Queue(MAX_PENDING)
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def submit(self, write: Write) -> None:
        """Queue a write; never waits."""
        try:
            self._queue.put_nowait(write)
            metrics.records_pending.set(self._queue.qsize())
        except queue.Full:
            metrics.records_lost_total.inc()
            logger.error("An audit record is lost: %d are waiting already", MAX_PENDING)

    def close(self, timeout_s: float) -> None:
        """Write what is queued, within the time given."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (write := self._queue.get()) is not None:
            self._write(write)
            metrics.records_pending.set(self._queue.qsize())
        connection.close()

    def _write(self, write: Write) -> None:
        while True:
            try:
                close_old_connections()
                write()
            except (OperationalError, InterfaceError) as error:
                logger.warning("Audit records wait, the database does not take them: %s", type(error).__name__)
                time.sleep(RETRY_S)
            except (Error, ObjectDoesNotExist):
                metrics.records_lost_total.inc()
                logger.exception("An audit record could not be written")
                return
            else:
                return


def opened(uid: str, client: str, holder: Holder | None, record: RecordOpened) -> Write:
    """A session has begun."""
    started_at = datetime.now(UTC)
    return lambda: _open(uid, client, holder, record, started_at)


def segment(uid: str, record: RecordSegment | RecordFailedSegment) -> Write:
    """A segment has its final, or will have none."""
    created_at = datetime.now(UTC)
    return lambda: _add_segment(uid, record, created_at)


def closed(uid: str, record: RecordClosed) -> Write:
    """A session is over."""
    ended_at = datetime.now(UTC)
    return lambda: _close(uid, record, ended_at)


def _open(uid: str, client: str, holder: Holder | None, record: RecordOpened, started_at: datetime) -> None:
    Session.objects.create(
        uid=uid,
        session_id=record.session_id,
        client=client,
        api_key=ApiKey.objects.filter(pk=holder.key_id).first() if holder else None,  # it may be deleted already
        api_key_name=holder.name if holder else "",
        language=record.config.language,
        sample_rate=record.config.sample_rate,
        config=asdict(record.config),
        started_at=started_at,
    )


def _add_segment(uid: str, record: RecordSegment | RecordFailedSegment, created_at: datetime) -> None:
    session = Session.objects.only("pk").get(uid=uid)
    match record:
        case RecordSegment(final=final):
            fields = {
                "start_ms": final.audio_start_ms,
                "duration_ms": final.audio_duration_ms,
                "confidence": final.confidence,
                "timing": msgspec.to_builtins(final.timing),
            }
            if settings.STT.store_transcripts:
                fields |= {"text": final.text, "words": msgspec.to_builtins(final.words)}
            segment_id = final.segment_id
        case RecordFailedSegment(segment_id=segment_id):
            fields = {"start_ms": record.start_ms, "duration_ms": record.duration_ms, "failure": record.reason}
    trace = record.trace
    fields |= msgspec.to_builtins(trace) | {"latency_ms": trace.latency_ms}
    heard_ms = fields["start_ms"] + fields["duration_ms"]
    counted = {
        "total_segments": F("total_segments") + 1,
        "errors": F("errors") + int(isinstance(record, RecordFailedSegment)),  # PostgreSQL adds no truth to numbers
        "total_audio_ms": Greatest(F("total_audio_ms"), Value(heard_ms, FloatField())),
    }
    if isinstance(record, RecordSegment):
        counted["worst_final_ms"] = Greatest(Coalesce(F("worst_final_ms"), 0.0), Value(trace.latency_ms, FloatField()))
    with transaction.atomic():
        Segment.objects.create(session=session, segment_id=segment_id, created_at=created_at, **fields)
        Session.objects.filter(pk=session.pk).update(**counted)


def _close(uid: str, record: RecordClosed, ended_at: datetime) -> None:
    Session.objects.filter(uid=uid).update(
        ended_at=ended_at,
        reason=record.reason,
        total_audio_ms=record.total_audio_ms,
        total_segments=record.total_segments,
        errors=record.errors,
        events=msgspec.to_builtins(record.events),
    )
