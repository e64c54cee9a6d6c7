"""Who gets in: a pure rule over one picture of the cluster."""

import math
from dataclasses import dataclass

from transcription.core.capacity.load import ClusterLoad
from transcription.core.capacity.shedding import HOLD_S, REFUSING
from transcription.core.config import Limits
from transcription.core.protocol import ErrorCode
from transcription.core.resuming import Checkpoint


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose session it is, where there are API keys."""

    key_id: str
    name: str
    max_sessions: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a session is not admitted."""

    code: ErrorCode
    message: str
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The session has its place."""

    checkpoint: Checkpoint | None = None
    """Of the session that it goes on with, where one was asked for and found."""
    taken_from: str = ""
    """The `uid` that had that session before."""


Admission = Admitted | Refusal

NO_WORKER_RETRY_MS = 2_000
"""What a refused client is told to wait where nothing that sessions do helps: for a worker, for Redis' memory."""
FULL_RETRY_MS = 1_000
"""And where it takes other sessions to end, or a queue to drain."""
RECORDING_RETRY_MS = 10_000
"""And where recordings are before it, which take longer."""
MEMORY_FULL = 0.9
"""Share of Redis' memory from which nobody new gets in: the rest is for the audio and the jobs of those inside."""


def decide(load: ClusterLoad, limits: Limits, places: int = 1) -> Refusal | None:
    """Whether a new session is refused, which takes so many places; what counts them is checked again, atomically, when
    it takes them."""
    if load.sessions + places > limits.max_sessions:
        return max_sessions_reached(limits.max_sessions)
    if refusal := decide_on_jobs(load, limits):
        return refusal
    starting, inside = max(room(load, limits), places), max(most_sessions(load, limits), places)
    if load.starting + places > starting or load.sessions + places > inside:
        return congested(load, limits)
    return None


def decide_on_jobs(load: ClusterLoad, limits: Limits) -> Refusal | None:
    """Whether a new session is refused however many there are by now, for want of workers, memory or time."""
    if not load.workers:
        return Refusal(ErrorCode.QUEUE_CONGESTION, "No worker is ready", NO_WORKER_RETRY_MS)
    if load.memory >= MEMORY_FULL:
        return memory_full(load.memory)
    if load.depth >= limits.max_queue_depth:
        message = f"Queue full: {load.depth}/{limits.max_queue_depth}"
        return Refusal(ErrorCode.QUEUE_FULL, message, FULL_RETRY_MS)
    if not room(load, limits):
        return congested(load, limits)
    if load.step >= REFUSING and load.sessions:
        wait_ms = max(round((HOLD_S - load.step_held_s) * 1000), FULL_RETRY_MS)
        return Refusal(ErrorCode.QUEUE_CONGESTION, "The queue was full a moment ago and is draining", wait_ms)
    return None


def decide_on_recording(load: ClusterLoad, limits: Limits) -> Refusal | None:
    """Whether a recording is refused that people would be let in beside: those inside must have their turns in time."""
    if load.recorded_wait_s < limits.max_recorded_wait_s:
        return None
    message = f"Too many recordings: {load.waiting_recorded} of their segments wait"
    return Refusal(ErrorCode.QUEUE_FULL, message, RECORDING_RETRY_MS)


def room(load: ClusterLoad, limits: Limits) -> int:
    """How many sessions may start at about the same time: as many as finals may come at once within the limit.

    Where nobody is inside, or nothing waits, one may: nobody's finals but its own are late, and refusing would never
    let the estimate learn better.
    """
    return max(load.finals_within(limits.max_estimated_server_total_ms), 0 if load.depth and load.sessions else 1)


def most_sessions(load: ClusterLoad, limits: Limits) -> int:
    """How many sessions may be inside, by what those inside ask for; always one."""
    return max(load.sessions_within(limits.max_estimated_server_total_ms, limits.max_sessions), 1)


def congested(load: ClusterLoad, limits: Limits) -> Refusal:
    """The refusal of a session whose finals would take too long."""
    limit = limits.max_estimated_server_total_ms
    estimate = max(load.estimate_ms(load.starting), load.idle_ms + load.tail_ms(load.sessions + 1))
    if estimate > limit:
        message = f"Estimated latency {estimate:.0f} ms exceeds {limit:.0f} ms"
    else:
        message = "Too many sessions are starting at once"  # others were faster, since the load was read
    return Refusal(ErrorCode.QUEUE_CONGESTION, message, FULL_RETRY_MS)


def max_sessions_reached(limit: int, whose: str = "") -> Refusal:
    """The refusal of a session too many, of the cluster's or (`whose`) of an API key's."""
    message = f"Maximum sessions{f' of {whose}' if whose else ''} reached: {limit}"
    return Refusal(ErrorCode.MAX_SESSIONS_REACHED, message, FULL_RETRY_MS)


def memory_full(share: float) -> Refusal:
    """The refusal while Redis has no memory to spare."""
    message = f"The queue's memory is full: {share * 100:.0f} %"
    return Refusal(ErrorCode.QUEUE_CONGESTION, message, NO_WORKER_RETRY_MS)


def queue_away() -> Refusal:
    """The refusal while Redis cannot be reached."""
    return Refusal(ErrorCode.QUEUE_CONGESTION, "The service cannot reach its queue", NO_WORKER_RETRY_MS)


def shutting_down() -> Refusal:
    """The refusal of a web process that is being stopped: another will take the session."""
    return Refusal(ErrorCode.QUEUE_CONGESTION, "The server is shutting down", FULL_RETRY_MS)


def session_exists(session_id: str) -> Refusal:
    """The refusal of a `session_id` that is live."""
    return Refusal(ErrorCode.SESSION_EXISTS, f"Session {session_id} is already live")


def minutes_spent(limit: int, retry_after_ms: int | None) -> Refusal:
    """The refusal of a key that has used its minutes of the day."""
    message = f"The API key has used its minutes of today (UTC): {limit}"
    return Refusal(ErrorCode.QUOTA_EXCEEDED, message, retry_after_ms)


def barred(what: str, left_ms: int) -> Refusal:
    """The refusal of what an operator has barred for so long yet."""
    left = f"{math.ceil(left_ms / 60_000)} min" if left_ms > 60_000 else f"{math.ceil(left_ms / 1000)} s"
    return Refusal(ErrorCode.UNAUTHORIZED, f"An operator has barred {what} for another {left}", left_ms)


def key_withdrawn() -> Refusal:
    """The refusal of a key that was good when the client connected."""
    return Refusal(ErrorCode.UNAUTHORIZED, "The API key was revoked or has expired")
