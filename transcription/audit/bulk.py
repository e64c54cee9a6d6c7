"""Exporting and erasing many sessions in the background, a few at a time (`manage.py housekeeping`).

A job is a list of keys and how far it has come, in the database: whoever is killed in the middle of it, another goes on
where it was. The right to it is asked again with every step.
"""

import logging
import re
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import redis
from django.db import Error
from django.db.models import Q, QuerySet

from transcription.audit import actions, retention, text_index
from transcription.models import BulkJob, BulkPart, Segment, Session

logger = logging.getLogger(__name__)

MOST_SESSIONS = 50_000
STEP = 20
"""Sessions a step: what is done twice at most where a process dies, and what others wait for at most."""
CLAIM = timedelta(seconds=60)
"""How long a process may be silent over a step before another takes the job."""
KEPT = timedelta(hours=24)
"""Of a job, and of what it has exported."""
Kind, State = BulkJob.Kind, BulkJob.State


def begin(kind: str, owner_pk: int, sessions: QuerySet[Session], now: datetime, *, transcripts: bool) -> BulkJob:
    """A job for the sessions there are now, `MOST_SESSIONS` at most. An erasure waits to be confirmed."""
    keys = list(sessions.values_list("pk", flat=True)[:MOST_SESSIONS])
    state = State.ASKED if kind == Kind.ERASE else State.WAITING
    return BulkJob.objects.create(
        kind=kind, state=state, owner_id=owner_pk, transcripts=transcripts, keys=keys, created=now
    )


def step(now: datetime) -> bool:
    """Do the next few sessions of the oldest job that nobody is at; whether there was one."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    job = BulkJob.objects.filter(free, state=State.WAITING).order_by("pk").first()
    if job is None:
        return False
    claimed = BulkJob.objects.filter(free, pk=job.pk, state=State.WAITING).update(claimed_until=now + CLAIM)
    if not claimed:
        return True  # by another process, just now
    if not permitted(job):
        _note(job, state=State.STOPPED, trouble="the right to it was taken away")
        return True
    keys = job.keys[job.done : job.done + STEP]
    try:
        handled = _erase(keys) if job.kind == Kind.ERASE else _export(job, keys)
    except redis.RedisError:
        _note(job, trouble="Redis cannot be reached; it goes on once it can", claimed_until=now + CLAIM / 6)
        return True
    except Error:
        raise  # it is taken up again when the claim has lapsed
    except Exception:
        logger.exception("A bulk job is stopped", extra={"action": "bulk_job_failed"})
        _note(job, state=State.STOPPED, trouble="a fault of the service; its log says more")
        return True
    done = job.done + len(keys)
    if done < len(job.keys):
        _note(job, done=done, skipped=job.skipped + len(keys) - handled, trouble="")
        return True
    if job.kind == Kind.ERASE:
        text_index.forget()
    _note(job, done=done, skipped=job.skipped + len(keys) - handled, trouble="", state=State.DONE)
    return True


def stop(job: BulkJob) -> None:
    """Do no more of it than is being done; what was erased is erased."""
    stopped = BulkJob.objects.filter(pk=job.pk, state__in=[State.ASKED, State.WAITING]).update(state=State.STOPPED)
    if stopped and job.kind == Kind.ERASE and job.done:
        text_index.forget()


def permitted(job: BulkJob) -> bool:
    """Whether whose job it is may have it done: as the database has their rights now."""
    rights = ["erase_session"] if job.kind == Kind.ERASE else ["view_session"]
    rights += ["view_transcript"] if job.transcripts else []
    owner = job.owner
    return owner.is_active and owner.is_staff and owner.has_perms([f"transcription.{right}" for right in rights])


def forget_old(now: datetime) -> None:
    """Delete jobs, with what they have exported, once they are `KEPT`."""
    for job in BulkJob.objects.filter(created__lt=now - KEPT):
        BulkPart.objects.filter(job=job).delete()
        job.delete()


def _note(job: BulkJob, **fields: object) -> None:
    """Only while it is wanted: whose it is may have stopped it meanwhile."""
    BulkJob.objects.filter(pk=job.pk, state=State.WAITING).update(**({"claimed_until": None} | fields))


def _erase(keys: Sequence[int]) -> int:
    """Those of the sessions that are there and not live; how many. Raises `redis.RedisError`."""
    chosen = list(Session.objects.filter(pk__in=keys))
    live = actions.held(chosen)
    over = [session for session in chosen if session.pk not in live]
    for session in over:
        retention.forget(session)
    retention.delete_some([session.pk for session in over])
    return len(over)


def _export(job: BulkJob, keys: Sequence[int]) -> int:
    """Those of the sessions that are there; how many."""
    BulkPart.objects.filter(job=job, session__in=keys).delete()  # of a process that died in the middle
    sessions = Session.objects.filter(pk__in=keys).prefetch_related("tags")
    parts = []
    for session in sessions:
        segments = list(Segment.objects.filter(session=session).order_by("start_ms", "pk"))
        content = actions.as_json(session, segments, transcripts=job.transcripts).encode()
        name = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', session.session_id)}-{session.pk}.json"
        parts.append(BulkPart(job=job, session=session, name=name, content=zlib.compress(content)))
    BulkPart.objects.bulk_create(parts)
    return len(parts)
