"""The only writer of the audit records: a bounded queue and one thread, off the audio path.

The database may be slow or down; transcription goes on. Records wait for it; those that find the queue full, or that it
refuses, are counted as lost. What a client does must not cost others their records, nor hide its own session's end: the
records of a session that wait are bounded, its beginning and end are always taken, and a record that the database
refuses is written without what the client had a hand in.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial

import msgspec
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, FloatField, Value
from django.db.models.functions import Coalesce, Greatest

from transcription import metrics
from transcription.core.capacity.admission import Principal
from transcription.core.metadata import NOTHING
from transcription.core.session.effects import RecordClosed, RecordFailedSegment, RecordOpened, RecordSegment
from transcription.models import ApiKey, Segment, Session, Tag
from transcription.webhooks import events

logger = logging.getLogger(__name__)

NATIVE = "native"
"""The dialect of a client that speaks the service's own protocol."""
MAX_PENDING = 10_000
MAX_PENDING_OF_A_SESSION = 500
RETRY_S = 1.0
IDLE_S = 1.0
"""The connection is closed after so long without a record: to open one costs three times what writing a record does."""
TOLD_AT = frozenset(10**n for n in range(9))
"""Counts of a session's lost records that are worth a line in the log."""

Write = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Record:
    """A write that is put off, and what may be written in its place."""

    write: Write
    instead: Write | None = None
    """What is written where the database refuses that."""
    uid: str = ""
    """The session's; empty where it is no session's."""
    vital: bool = False
    """Whether it is taken however many wait: a session has two of these."""


class Recorder:
    """Writes records in order, in a thread of its own."""

    def __init__(self) -> None:
        self._waiting: deque[Record] = deque()
        self._of_session: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        """Records that nobody will write, by session."""
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def submit(self, record: Record) -> None:
        """Queue a record; never waits."""
        with self._changed:
            waiting, of_session = len(self._waiting), self._of_session[record.uid]
            full = waiting >= MAX_PENDING or (record.uid and of_session >= MAX_PENDING_OF_A_SESSION)
            if not full or record.vital:
                self._waiting.append(record)
                self._of_session[record.uid] += 1
                metrics.records_pending.set(len(self._waiting))
                self._changed.notify()
                if record.vital:
                    self._lost.pop(record.uid, None)  # the session is over, or has just begun
                return
        metrics.records_lost_total.inc()
        self._lost[record.uid] += 1
        if (lost := self._lost[record.uid]) in TOLD_AT:  # who floods the records shall not flood the log
            text = "Audit records are lost, %d of the session by now: %d are waiting, %d of them the session's"
            logger.error(text, lost, waiting, of_session, extra={"action": "records_lost", "uid": record.uid})

    def close(self, timeout_s: float) -> None:
        """Write what is queued, within the time given."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_over():
            if record := self._next():
                self._write(record)
            else:
                connection.close()

    def _is_over(self) -> bool:
        with self._changed:
            return self._closing and not self._waiting and connection.connection is None

    def _next(self) -> Record | None:
        """The next record; none once the connection is to be closed."""
        with self._changed:
            # no longer without one to close
            idle_s = None if connection.connection is None else IDLE_S
            self._changed.wait_for(lambda: self._waiting or self._closing, idle_s)
            if not self._waiting:
                return None
            record = self._waiting.popleft()
            self._of_session[record.uid] -= 1
            self._of_session = +self._of_session
            metrics.records_pending.set(len(self._waiting))
            return record

    def _write(self, record: Record) -> None:
        while True:
            try:
                record.write()
            except (OperationalError, InterfaceError) as error:
                logger.warning("Audit records wait, the database does not take them: %s", type(error).__name__)
                connection.close()
                time.sleep(RETRY_S)
            except Exception as error:
                # whatever is wrong with it, the records after it must be written
                if record.instead is None:
                    metrics.records_lost_total.inc()
                    logger.exception("An audit record could not be written")
                    return
                logger.warning("An audit record is written in part, the database refuses it: %s", type(error).__name__)
                record = replace(record, write=record.instead, instead=None)
            else:
                return


def opened(uid: str, client: str, principal: Principal | None, record: RecordOpened, dialect: str = NATIVE) -> Record:
    """The record of a session that begins, `client` being its address, `principal` whose it is.

    In its place it is written without what the client says to find it by.
    """
    write = partial(_open, uid, client, principal, dialect=dialect, started_at=datetime.now(UTC))
    bare = partial(write, replace(record, metadata=NOTHING))
    return Record(partial(write, record), bare, uid=uid, vital=True)


def segment(uid: str, record: RecordSegment | RecordFailedSegment) -> Record:
    """The record of a segment that has its final, or will have none. In its place it is written without texts."""
    created_at = datetime.now(UTC)
    bare = partial(_add_segment, uid, record, created_at, texts=False)
    return Record(partial(_add_segment, uid, record, created_at), bare, uid=uid)


def closed(uid: str, record: RecordClosed) -> Record:
    """The record of a session that is over. In its place it is written without events."""
    ended_at = datetime.now(UTC)
    bare = partial(_close, uid, replace(record, events=()), ended_at)
    return Record(partial(_close, uid, record, ended_at), bare, uid=uid, vital=True)


def _open(
    uid: str, client: str, principal: Principal | None, record: RecordOpened, *, dialect: str, started_at: datetime
) -> None:
    told = record.metadata
    session = Session(
        uid=uid,
        external_id=told.external_id or "",
        dialect=dialect,
        session_id=record.session_id,
        client=client,
        api_key=ApiKey.objects.filter(pk=principal.key_id).first() if principal else None,  # it may be deleted already
        api_key_name=principal.name if principal else "",
        language=record.config.language,
        sample_rate=record.config.sample_rate,
        config=asdict(record.config),
        started_at=started_at,
    )
    with transaction.atomic():
        session.save(force_insert=True)
        Tag.objects.bulk_create([Tag(session=session, name=name) for name in dict.fromkeys(told.tags or ())])


def _add_segment(
    uid: str, record: RecordSegment | RecordFailedSegment, created_at: datetime, *, texts: bool = True
) -> None:
    session = Session.objects.only(*events.NEEDED).get(uid=uid)
    texts_kept = settings.STT.store_transcripts and texts
    match record:
        case RecordSegment(final=final):
            fields = {
                "start_ms": final.audio_start_ms,
                "duration_ms": final.audio_duration_ms,
                "confidence": final.confidence,
                "timing": msgspec.to_builtins(final.timing),
                "channel": final.channel if isinstance(final.channel, int) else None,
                "language": final.language or None,
            }
            if texts_kept:
                fields |= {"text": final.text, "words": msgspec.to_builtins(final.words)}
                if final.dropped:
                    fields["dropped"] = msgspec.to_builtins(final.dropped) | {"text": record.dropped_text}
            segment_id = final.segment_id
        case RecordFailedSegment(segment_id=segment_id):
            fields = {
                "start_ms": record.start_ms,
                "duration_ms": record.duration_ms,
                "failure": record.reason if texts else "unknown",
                "channel": record.channel,
            }
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
        if isinstance(record, RecordSegment):
            events.segment_final(session, record.final, created_at, texts=texts_kept)


def _close(uid: str, record: RecordClosed, ended_at: datetime) -> None:
    spoken = {"language": record.language} if record.language else {}
    with transaction.atomic():
        Session.objects.filter(uid=uid).update(
            **spoken,
            ended_at=ended_at,
            reason=record.reason,
            total_audio_ms=record.total_audio_ms,
            total_segments=record.total_segments,
            errors=record.errors,
            events=msgspec.to_builtins(record.events),
        )
        if session := Session.objects.only(*events.NEEDED).filter(uid=uid).first():  # it may be erased already
            events.session_closed(session, record, ended_at)
