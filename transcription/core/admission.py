"""Who gets in: a pure rule over one picture of the cluster."""

from dataclasses import dataclass

from transcription.core.config import Limits
from transcription.core.protocol import ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLoad:
    """The cluster at one moment, as read from Redis."""

    sessions: int
    depth: int
    """Jobs waiting and running."""
    workers: int
    """Live workers with a loaded model."""
    avg_partial_ms: float
    avg_final_ms: float
    """Moving averages of a decode's cost, over the workers."""

    @property
    def estimated_server_total_ms(self) -> float:
        """What a final submitted now would take: the jobs before it, shared by the workers, and itself."""
        if not self.workers:
            return 0.0
        mean = (self.avg_partial_ms + self.avg_final_ms) / 2
        return round(self.depth * mean / self.workers + self.avg_final_ms, 1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a session is not admitted."""

    code: ErrorCode
    message: str
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The session has its place."""


Admission = Admitted | Refusal

NO_WORKER_RETRY_MS = 2_000
FULL_RETRY_MS = 1_000


def decide(load: ClusterLoad, limits: Limits) -> Refusal | None:
    """Whether a new session is refused; the count of sessions is checked again, atomically, when it takes its place."""
    if load.sessions >= limits.max_sessions:
        return max_sessions_reached(limits)
    if not load.workers:
        return Refusal(ErrorCode.QUEUE_CONGESTION, "No worker is ready", NO_WORKER_RETRY_MS)
    if load.depth >= limits.max_queue_depth:
        message = f"Queue full: {load.depth}/{limits.max_queue_depth}"
        return Refusal(ErrorCode.QUEUE_FULL, message, FULL_RETRY_MS)
    estimate = load.estimated_server_total_ms
    # with nothing waiting the estimate is one decode: refusing would never let the averages learn better
    if load.depth and estimate > limits.max_estimated_server_total_ms:
        message = f"Estimated latency {estimate:.0f} ms exceeds {limits.max_estimated_server_total_ms:.0f} ms"
        return Refusal(ErrorCode.QUEUE_CONGESTION, message, FULL_RETRY_MS)
    return None


def max_sessions_reached(limits: Limits) -> Refusal:
    """The refusal of a session too many."""
    message = f"Maximum sessions reached: {limits.max_sessions}"
    return Refusal(ErrorCode.MAX_SESSIONS_REACHED, message, FULL_RETRY_MS)


def shutting_down() -> Refusal:
    """The refusal of a web process that is being stopped: another will take the session."""
    return Refusal(ErrorCode.QUEUE_CONGESTION, "The server is shutting down", FULL_RETRY_MS)


def session_exists(session_id: str) -> Refusal:
    """The refusal of a `session_id` that is live."""
    return Refusal(ErrorCode.SESSION_EXISTS, f"Session {session_id} is already live")
