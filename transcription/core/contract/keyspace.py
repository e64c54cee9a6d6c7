"""Every key in Redis: its name, how long it lives, who writes it and who deletes it. No other module spells one.

While an installation is upgraded processes of two versions share one Redis, so names do not change. What has a life
needs nobody to delete it; deleting it early saves memory.
"""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

LEASE_TTL_S = 10
"""A place that its web process does not renew is free after so long."""
AUDIO_TTL_S = 300
"""How long a segment's audio outlives its last append, and what is noted of its jobs."""
INDEX_TTL_S = 900
"""Longer than anything that an index names: an utterance takes 120 s at most, a final waits 240 s at most, and what
comes of them lasts `AUDIO_TTL_S`."""
RESULT_TTL_S = 60
"""How long a result's stored copy may be fetched."""
MAX_RESUME_WINDOW_S = 60
"""`STT_RESUME_WINDOW_S` at most: how long what a session needs to be resumed outlives its lease."""
HEARTBEAT_TTL_S = 1.8
"""A worker not heard of for so long is gone; with the readers' cache that is within two seconds."""
STEP_TTL_S = 10
"""A step of shedding that nobody confirms is forgotten."""
GAVE_UP_TTL_S = 3600
"""How long it is told that workers gave up."""
MAX_BAR_S = 3600
"""How long an operator may bar an API key or a session id at most: for longer, keys are revoked."""
CALL_TTL_S, CALL_OVER_TTL_S = 3600, 300
"""How long what a call's listeners are told is kept: after the last of it; and once a stream of the call is over."""
MINUTES_TTL_S = 2 * 24 * 3600
"""How long a key's minutes of a day are kept."""

# Places, load and step: core/capacity

SESSIONS_KEY = "stt:sessions"
"""Sorted set of the live sessions' ids, by when their leases lapse (s, Redis' clock)."""
STARTING_KEY = "stt:starting"
"""Sorted set of the ids of sessions that have not settled, by when they started (ms, Redis' clock)."""
COUNTERS_KEY = "stt:counters"
"""Hash of `requests` for a place and those `rejected`, since Redis was started."""
SHEDDING_KEY = "stt:shedding"
"""Hash of the `step` of shedding and since when (`at_ms`, Redis' clock) it holds."""


def lease_key(session_id: str) -> str:
    """A live session's place: its owner's uid."""
    return f"stt:session:{session_id}"


def key_sessions_key(key_id: str) -> str:
    """As `SESSIONS_KEY`, of one API key."""
    return f"stt:sessions:{key_id}"


def resume_key(session_id: str) -> str:
    """What another connection needs to go on with a session: hash of `owner` and `from` (its uid, and that of the owner
    before), `key` (API key), `settled`."""
    return f"stt:resume:{session_id}"


def resume_ttl_s(window_s: float) -> int:
    """How long `resume_key` is kept once nobody renews the lease (s); `window_s`: for how long one may resume."""
    return math.ceil(LEASE_TTL_S + window_s)


def minutes_key(key_id: str, day: str) -> str:
    """Audio accepted under an API key on a day (ISO, UTC), in ms."""
    return f"stt:minutes:{key_id}:{day}"


def barred_key_key(key_id: str) -> str:
    """While it is there no session starts under the API key."""
    return f"stt:barred:key:{key_id}"


def barred_session_key(session_id: str) -> str:
    """While it is there no session of that name starts."""
    return f"stt:barred:session:{session_id}"


# Calls: cluster/calls.py


def call_key(key_id: str, call: str) -> str:
    """Stream of what a call's listeners under an API key (its id, or empty) are told."""
    return f"stt:call:{key_id}:{call}"


def call_of(session_id: str) -> str:
    """The call that a stream's session is of; another session's id may give the name of none."""
    return session_id.rpartition("/")[0]


# Segments and their jobs: core/contract/jobs.py

_AUDIO = "stt:audio:"


def audio_key(session_uid: str, segment_id: str) -> str:
    """A segment's audio, 16 kHz 16-bit PCM from its first sample on."""
    return f"{_AUDIO}{session_uid}:{segment_id}"


def before_key(session_uid: str, segment_id: str) -> str:
    """The audio of the segment before, where a segment's final is decoded together with it."""
    return f"stt:before:{session_uid}:{segment_id}"


def overtaken_key(session_uid: str, segment_id: str) -> str:
    """The number of a segment's last partial that need not be decoded any more."""
    return f"stt:overtaken:{session_uid}:{segment_id}"


def claim_key(job_id: str) -> str:
    """The id of the worker that took a final."""
    return f"stt:claim:{job_id}"


def result_key(job_id: str) -> str:
    """A copy of a final's transcript."""
    return f"stt:result:{job_id}"


def index_key(session_uid: str) -> str:
    """Set of a session's segments that have audio (`seg-0001`) and of its finals (`seg-0001:f1`), for `session_keys`.

    Numbers would not do: a segment has as many finals as pauses, and of a session whose web process died nobody knows
    how many segments it had.
    """
    return f"stt:index:{session_uid}"


def index_entry(name: str) -> tuple[str, str]:
    """For a segment's audio key, or a final's job id: the key of the index it belongs into, and its entry there."""
    session_uid, _, entry = name.removeprefix(_AUDIO).partition(":")
    return index_key(session_uid), entry


def session_keys(session_uid: str, session_id: str, index: Iterable[str]) -> list[str]:
    """Every key there may be of a session that is over; `index` are the entries of its `index_key`."""
    keys = [resume_key(session_id), index_key(session_uid)]
    for entry in index:
        if ":" in entry:
            keys += [claim_key(f"{session_uid}:{entry}"), result_key(f"{session_uid}:{entry}")]
        else:
            keys += [key(session_uid, entry) for key in (audio_key, before_key, overtaken_key)]
    return keys


# Workers: core/contract/heartbeat.py

WORKERS_KEY = "stt:workers"
"""Set of the ids of workers that may be live."""
GAVE_UP_KEY = "stt:gave_up"
"""List of the last workers that could not decode (`GaveUp`, JSON), the last first."""


def worker_key(worker_id: str) -> str:
    """A worker's last heartbeat, JSON."""
    return f"stt:worker:{worker_id}"


# Celery's (kombu/transport/redis.py)

QUEUE = "stt"
PRIORITY_STEPS = (0, 3, 6, 9)
"""Celery's priority buckets, 0 first."""
FINAL_PRIORITY, PARTIAL_PRIORITY, RECORDED_PRIORITY = 0, 6, 9
"""Of finals, partials and finals of recordings."""
PRIORITY_SEPARATOR = ":"
QUEUE_KEYS = (QUEUE, *(f"{QUEUE}{PRIORITY_SEPARATOR}{step}" for step in PRIORITY_STEPS if step))
"""Lists of messages, one a bucket (`_q_for_pri`)."""


def queue_key(priority: int) -> str:
    """The list of messages of a priority, which is one of the steps."""
    return QUEUE_KEYS[PRIORITY_STEPS.index(priority)]


FINALS_KEY, RECORDED_KEY = QUEUE_KEYS[0], QUEUE_KEYS[-1]
"""Those of finals, and of finals of recordings."""
UNACKED_KEY = "unacked"
"""Hash of the messages in workers' hands."""

# Channel-layer groups: no keys, but names of pub/sub channels (CHANNEL_LAYERS in sttproject/settings.py)

SESSIONS_GROUP = "stt.sessions"
"""The group that every live session is in."""


def group_name(session_uid: str) -> str:
    """The group of one session: its consumer is in it, and whoever has something for it sends there."""
    return f"stt.session.{session_uid}"


class Family(NamedTuple):
    """The keys of one kind."""

    pattern: str
    """A glob."""
    ttl_s: float | None
    """How long one lives after it was last written; `None`: until it is deleted, or empty."""
    written: str
    deleted: str


# "members": what is in the key, and the key with the last of them
FAMILIES = (
    Family(lease_key("*"), LEASE_TTL_S, "web: admission, renewal", "web: its owner, at the session's end"),
    Family(SESSIONS_KEY, None, "web: admission, renewal", "web: members, at the end or lapsed"),
    Family(key_sessions_key("*"), LEASE_TTL_S, "web: admission, renewal", "web: members, at the end or lapsed"),
    Family(STARTING_KEY, None, "web: admission", "web: members, at the end or settled"),
    Family(
        resume_key("*"),
        resume_ttl_s(MAX_RESUME_WINDOW_S),
        "web: its owner, after each answer",
        "web: its owner, at the end; erasure",
    ),
    Family(COUNTERS_KEY, None, "web: admission", "nobody"),
    Family(SHEDDING_KEY, STEP_TTL_S, "web: whoever moves or confirms the step", "nobody"),
    Family(barred_key_key("*"), MAX_BAR_S, "web: an operator's cancel", "web: an operator"),
    Family(barred_session_key("*"), MAX_BAR_S, "web: an operator's cancel", "web: an operator"),
    Family(call_key("*", "*"), CALL_TTL_S, "web: notices of a call", "erasure"),
    Family(minutes_key("*", "*"), MINUTES_TTL_S, "web: while the API key has sessions", "nobody"),
    Family(audio_key("*", "*"), AUDIO_TTL_S, "web: outbox", "web: outbox, with the answer; erasure"),
    Family(before_key("*", "*"), AUDIO_TTL_S, "web: outbox", "web: outbox, with the answer; erasure"),
    Family(overtaken_key("*", "*"), AUDIO_TTL_S, "web: outbox", "erasure"),
    Family(index_key("*"), INDEX_TTL_S, "web: outbox, before what it names", "erasure"),
    Family(claim_key("*"), AUDIO_TTL_S, "worker: takes the job", "worker: is done; web: a dead worker's; erasure"),
    Family(result_key("*"), RESULT_TTL_S, "worker: is done", "erasure"),
    Family(worker_key("*"), HEARTBEAT_TTL_S, "worker: heartbeat", "worker: itself, giving up"),
    Family(WORKERS_KEY, None, "worker: members, by heartbeat", "worker: itself, retiring; web: dead members"),
    Family(GAVE_UP_KEY, GAVE_UP_TTL_S, "worker: cannot decode", "nobody"),
    *(Family(key, None, "web: Celery", "worker: Celery") for key in QUEUE_KEYS),
    *(Family(key, None, "worker: Celery", "worker: Celery") for key in (UNACKED_KEY, "unacked_index")),
    Family("unacked_mutex", 300, "worker: Celery", "worker: Celery"),
    Family("_kombu.binding*", None, "worker: Celery, starting", "nobody"),
    Family("*.reply.celery.pidbox", None, "worker: Celery's remote control", "who asked"),
)


def family(key: str) -> Family | None:
    """What kind of key this is; `None`: none of ours."""
    return next((each for each in FAMILIES if fnmatchcase(key, each.pattern)), None)
