"""One worker process: a loaded engine, its batcher, the way in (audio) and out (results)."""

import logging
import time

import numpy as np
import redis

from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.cluster import SETTLED_S
from transcription.core.config import SAMPLE_RATE
from transcription.core.jobs import AUDIO_TTL_S, Failure, Job, Kind, Result, Transcript, claim_key
from workers import metrics
from workers.batching import Batcher, Decoded
from workers.costs import Average, CostFit, Rate
from workers.engine import Engine, EngineError
from workers.publish import Publisher

logger = logging.getLogger(__name__)


class Overtaken(Exception):
    """The segment's final was asked for while the partial waited: nobody wants it any more."""


class Worker:
    """Does jobs; `do` is called from Celery's threads, several at a time."""

    def __init__(self, engine: Engine, client: redis.Redis, worker_id: str, lanes: int = 1) -> None:
        self.engine = engine
        self.worker_id = worker_id
        self.lanes = lanes
        self.costs = {Kind.PARTIAL: CostFit(), Kind.FINAL: CostFit()}
        """What decodes cost the model, by kind."""
        self.handling_ms = Average()
        """What a final takes besides waiting and the model."""
        self.finals = Rate(SETTLED_S)
        self._redis = client
        self._batcher = Batcher(engine.decode, engine.max_batch, lanes)
        self._publisher = Publisher(client)
        self._done_with: set[str] = set()
        """Finals that are claimed still, answered or not."""

    def do(self, job: Job) -> None:
        """Run a job and publish its answer; a failure is an answer too."""
        with metrics.jobs_running.track_inprogress():
            try:
                if self._publisher.send_again(job):
                    metrics.jobs_total.labels(job.kind, "repeated").inc()
                    return
                result = self.answer(job)
                answered = time.perf_counter()
                self._publisher.send(job, result)
                if job.kind is Kind.FINAL and isinstance(result, Transcript):
                    self.finals.add(answered)
                    sent_ms = (time.perf_counter() - answered) * 1000
                    self.handling_ms.add(result.preprocess_ms + result.postprocess_ms + sent_ms)
            except Overtaken:
                metrics.jobs_total.labels(job.kind, "overtaken").inc()
                return
            except (redis.RedisError, TimeoutError) as error:
                # the session still waits: it sends the job again when nobody claims it any more
                metrics.jobs_total.labels(job.kind, "undelivered").inc()
                logger.warning("A job's answer could not be delivered: %s", error, extra=job.log_context())
                return
            finally:
                if job.kind is Kind.FINAL:
                    self._done_with.add(job.job_id)
        outcome = "failed" if isinstance(result, Failure) else "done"
        metrics.jobs_total.labels(job.kind, outcome).inc()

    def answer(self, job: Job) -> Result:
        """Fetch the audio, decode, make the transcript. Raises `redis.RedisError` and `Overtaken`."""
        started = time.perf_counter()
        audio, audio_end = self._fetch(job)
        metrics.fetch_seconds.observe(time.perf_counter() - started)
        if audio is None:
            return _failure(job, "The segment's audio is gone", retryable=True)
        try:
            request = self.engine.prepare(job, audio)
            prepared = time.perf_counter()
            decoded = self._batcher.submit(request).result()
        except EngineError as error:
            return _failure(job, str(error), retryable=error.retryable)
        except Exception:
            logger.exception("A decode failed", extra=job.log_context())
            return _failure(job, "The model failed on this segment", retryable=True)
        done = time.perf_counter()
        self.learn(job.kind, decoded, audio.size / SAMPLE_RATE)
        metrics.audio_seconds_total.labels(job.kind).inc(audio.size / SAMPLE_RATE)
        hypothesis = decoded.hypothesis
        return Transcript(
            job_id=job.job_id,
            segment_id=job.segment_id,
            kind=job.kind,
            text=hypothesis.text,
            confidence=hypothesis.confidence,
            words=hypothesis.words,
            audio_end=audio_end,
            preprocess_ms=(prepared - started) * 1000,
            inference_ms=decoded.decode_s * 1000,
            postprocess_ms=(time.perf_counter() - done) * 1000,
            batch_wait_ms=decoded.waited_s * 1000,
            batch_size=decoded.batch_size,
        )

    def learn(self, kind: Kind, decoded: Decoded, audio_s: float) -> None:
        """Let a decode's cost into the averages."""
        metrics.decode_seconds.labels(kind).observe(decoded.decode_s)
        metrics.wait_seconds.labels(kind).observe(decoded.waited_s)
        metrics.batch_size.observe(decoded.batch_size)
        self.costs[kind].add(decoded.decode_s * 1000, decoded.batch_size, audio_s)

    def warm_up(self, language: str, beam_size: int) -> None:
        """Decode three seconds of near silence with each beam: caches fill, the averages have a first value.

        Both as partials: a final would doubt what it heard in noise and decode it again and again.
        """
        noise = np.random.default_rng(0).normal(0, 1e-3, 3 * SAMPLE_RATE).astype(np.float32)
        for kind, beam in ((Kind.PARTIAL, 1), (Kind.FINAL, beam_size)):  # the kind whose average it seeds
            job = Job(
                job_id="warm-up",
                group="",
                segment_id="",
                kind=Kind.PARTIAL,
                audio_key="",
                overtaken_key="",
                number=0,
                start=0,
                end=None,
                language=language,
                beam_size=beam,
                word_timestamps=False,
            )
            decoded = self._batcher.submit(self.engine.prepare(job, noise)).result()
            self.costs[kind].add(decoded.decode_s * 1000, 1, noise.size / SAMPLE_RATE)

    def disclaim(self) -> None:
        """Let go of the finals that are done with; call it again and again. Raises `RedisError`."""
        if job_ids := tuple(self._done_with):
            self._redis.delete(*map(claim_key, job_ids))
            self._done_with.difference_update(job_ids)

    def stuck_s(self) -> float:
        """How long the longest decode has been going on."""
        return self._batcher.busy_s()

    def close(self) -> None:
        """Stop after the batch in hand."""
        self._batcher.close()

    def _fetch(self, job: Job) -> tuple[np.ndarray | None, int]:
        """The job's samples (float32, -1 to 1) and the position after the last; `None` when they are not there.

        A final is claimed with it, so that it is missed if this process dies. Raises `Overtaken`.
        """
        last = -1 if job.end is None else job.end * BYTES_PER_SAMPLE - 1
        pipe = self._redis.pipeline(transaction=False)
        pipe.getrange(job.audio_key, job.start * BYTES_PER_SAMPLE, last)
        pipe.get(job.overtaken_key)
        if job.kind is Kind.FINAL:
            pipe.set(claim_key(job.job_id), self.worker_id, ex=AUDIO_TTL_S)
        pcm, overtaken, *_ = pipe.execute(raise_on_error=False)  # a full Redis takes no claims
        if isinstance(pcm, redis.RedisError):
            raise pcm
        if job.kind is Kind.PARTIAL and int(overtaken or 0) >= job.number:
            raise Overtaken
        end = job.start + len(pcm) // BYTES_PER_SAMPLE
        if not pcm or (job.end is not None and end < job.end):
            return None, end
        return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0, end


def _failure(job: Job, reason: str, *, retryable: bool) -> Failure:
    return Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason=reason, retryable=retryable)
