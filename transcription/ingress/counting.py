"""What the metrics hear of one session: its jobs, their answers and its messages; how long finals were to take."""

from transcription import metrics
from transcription.core import protocol
from transcription.core.capacity.load import ClusterLoad
from transcription.core.contract.jobs import RECORDED, Failure, Job, Kind, Result
from transcription.ingress.tracing import Traces


class Counting:
    """One session's; times are seconds of one clock."""

    def __init__(self, traces: Traces, *, recorded: bool) -> None:
        """`recorded`: whether its audio was all there before, which is a kind of its own."""
        self._traces, self._recorded = traces, recorded
        self._foreseen: dict[str, tuple[float, float]] = {}
        """By job: how long a final was to take, and when it was sent."""

    def submitted(self, job: Job, load: ClusterLoad, now: float) -> None:
        """A job is sent, into a cluster that is so busy."""
        if job.label == Kind.FINAL and load.workers:
            self._foreseen.setdefault(job.job_id, (load.estimate_ms() / 1000, now))
        metrics.jobs_total.labels(job.label, "sent").inc()

    def resent(self, job: Job) -> None:
        """A final's job is sent again."""
        metrics.jobs_total.labels(job.label, "resent").inc()

    def answered(self, result: Result, now: float) -> None:
        """A worker has answered."""
        metrics.jobs_total.labels(self._label(result.kind), "failed" if isinstance(result, Failure) else "done").inc()
        if foreseen := self._foreseen.pop(result.job_id, None):
            predicted_s, sent_at = foreseen
            metrics.final_predicted_seconds.observe(predicted_s)
            metrics.final_actual_seconds.observe(now - sent_at, self._traces.exemplar(result.segment_id))

    def told(self, message: protocol.ServerMessage) -> None:
        """The client is sent a message."""
        match message:
            case protocol.Error(code=code):
                metrics.errors_total.labels(code).inc()
            case protocol.FinalTranscript(audio_duration_ms=0):
                pass  # the answer to a flush in silence: nothing was decoded
            case protocol.PartialTranscript(timing=timing) | protocol.FinalTranscript(timing=timing):
                kind = self._label(Kind.FINAL if message.is_final else Kind.PARTIAL)
                exemplar = self._traces.exemplar(message.segment_id)
                for stage in metrics.TIMING_STAGES:
                    metrics.stage_seconds.labels(kind, stage).observe(getattr(timing, f"{stage}_ms") / 1000, exemplar)

    def _label(self, kind: Kind) -> str:
        return RECORDED if self._recorded else kind
