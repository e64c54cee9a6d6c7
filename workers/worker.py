"""One worker process's jobs: audio from Redis, through the decoder, to a result on its way back."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import redis

from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.config import SAMPLE_RATE
from transcription.core.contract import tracing
from transcription.core.contract.heartbeat import SETTLED_S
from transcription.core.contract.jobs import Failure, Job, Kind, Result, Transcript
from transcription.core.contract.keyspace import AUDIO_TTL_S, claim_key, result_key
from workers import metrics
from workers.batching import Decoded
from workers.costs import CostFit, Rate, Typical
from workers.decoder import PROOF_S, Decoder, UnfitError
from workers.engines.engine import Engine, EngineError
from workers.publish import Publisher
from workers.tally import Tallied
from workers.turns import TurnJudge, answered

logger = logging.getLogger(__name__)


class Overtaken(Exception):
    """The segment's final was asked for while the partial waited: nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Redis has for a job."""

    audio: np.ndarray | None
    """The job's samples (float32, -1 to 1); `None` when they are not there."""
    end: int
    """Position in the segment after the last of these samples."""
    answer: bytes | None = None
    """The stored copy of a final that was done before."""
    before: np.ndarray | None = None
    """The samples of the job's `before`; `None` when they are not there, or not asked for."""


class Worker:
    """Does jobs; `do` is called from Celery's threads, several at a time."""

    def __init__(
        self, engine: Engine, client: redis.Redis, worker_id: str, lanes: int = 1, turns: TurnJudge | None = None
    ) -> None:
        """`turns` says how likely a turn is over, where somebody should."""
        self.engine = engine
        self.decoder = Decoder(engine, lanes)
        self.worker_id = worker_id
        self.lanes = lanes
        self.costs = {Kind.PARTIAL: CostFit(), Kind.FINAL: CostFit()}
        """What decodes cost the model, by kind."""
        self.handling_ms = Typical()
        """What a final takes besides waiting and the model."""
        self.finals = Rate(SETTLED_S)
        self.tally = Tallied()
        self._redis = client
        self._turns = turns
        self.publisher = Publisher(client)
        self._done_with: set[str] = set()
        """Finals that are claimed still, answered or not."""

    def do(self, job: Job) -> None:
        """Run a job and publish its answer; a failure is an answer too.

        A worker that is unfit answers nothing: the claim on the final that showed it ends with this process, what
        comes after is not claimed, and the sessions send both again.
        """
        self.tally.add(running=1)
        with metrics.jobs_running.track_inprogress():
            try:
                outcome = self._do(job)
            except Overtaken:
                outcome = "overtaken"
            except UnfitError:
                outcome = "unfit"
            except (redis.RedisError, TimeoutError) as error:
                # the session still waits: it sends the job again when nobody claims it any more
                outcome = "undelivered"
                logger.warning("A job's answer could not be delivered: %s", error, extra=job.log_context())
            finally:
                self.tally.add(running=-1)
        if job.kind is Kind.FINAL and outcome != "unfit":
            self._done_with.add(job.job_id)
        metrics.jobs_total.labels(job.label, outcome).inc()
        tracing.note(outcome=outcome)

    def _do(self, job: Job) -> str:
        """Run a job; what came of it, as the metric names it.

        Raises `redis.RedisError`, `TimeoutError`, `Overtaken` and `UnfitError`.
        """
        self.decoder.require_fit()
        started = time.perf_counter()
        fetched = self._fetch(job)
        metrics.fetch_seconds.observe(time.perf_counter() - started)
        if fetched.answer:
            self.publisher.tell(job, fetched.answer)
            return "repeated"
        result = self._answer(job, fetched, started)
        answered = time.perf_counter()
        self.publisher.send(job, result)
        if isinstance(result, Failure):
            self.tally.add(failed=1)
            return "failed"
        if job.label == Kind.FINAL:
            self.finals.add(answered)
            sent_ms = (time.perf_counter() - answered) * 1000
            self.handling_ms.add(result.preprocess_ms + result.postprocess_ms + sent_ms, answered)
        self.tally.add(done=1)
        return "done"

    def _answer(self, job: Job, fetched: Fetched, started: float) -> Result:
        """Decode, make the transcript; `started` is when the worker began with the job. Raises `UnfitError`."""
        audio = fetched.audio
        if audio is None:
            return _failure(job, "The segment's audio is gone", retryable=True)
        asked = self._turns.ask(audio) if self._turns and job.turn else None
        try:
            decoded = self.decoder.decode(job, audio, fetched.before)
        except EngineError as error:
            return _failure(job, str(error), retryable=error.retryable)
        except UnfitError:
            raise
        except Exception:
            logger.exception("A decode failed twice", extra=job.log_context())
            return _failure(job, "The model failed on this segment", retryable=True)
        done = time.perf_counter()
        if decoded.batch_size:
            self.learn(job, decoded, audio.size / SAMPLE_RATE)
            metrics.audio_seconds_total.labels(job.label).inc(audio.size / SAMPLE_RATE)
        else:
            metrics.not_decoded_total.labels(job.label).inc()
        tracing.note(wait_ms=decoded.waited_s * 1000, model_ms=decoded.decode_s * 1000, batch_size=decoded.batch_size)
        hypothesis, probability = decoded.hypothesis, answered(asked)
        if hypothesis.dropped and job.kind is Kind.FINAL:
            metrics.dropped_total.labels(hypothesis.dropped.reason).inc()
        return Transcript(
            job_id=job.job_id,
            segment_id=job.segment_id,
            kind=job.kind,
            text=hypothesis.text,
            confidence=hypothesis.confidence,
            words=hypothesis.words,
            audio_end=fetched.end,
            preprocess_ms=(done - started - decoded.waited_s - decoded.decode_s) * 1000,
            inference_ms=decoded.decode_s * 1000,
            postprocess_ms=(time.perf_counter() - done) * 1000,
            batch_wait_ms=decoded.waited_s * 1000,
            batch_size=decoded.batch_size,
            dropped=hypothesis.dropped,
            dropped_text=hypothesis.dropped_text,
            sure_words=hypothesis.sure_words,
            language=hypothesis.language or job.language,
            evidence=dict(hypothesis.evidence),
            turn_probability=probability,
        )

    def learn(self, job: Job, decoded: Decoded, audio_s: float) -> None:
        """Let a decode's cost into the averages, the tally and the metrics; `audio_s` is one request's.

        What a recording's final costs is nothing that admission goes by: it comes after all others.
        """
        metrics.decode_seconds.labels(job.label).observe(decoded.decode_s)
        metrics.wait_seconds.labels(job.label).observe(decoded.waited_s)
        metrics.batch_size.observe(decoded.batch_size)
        self.tally.add(decoded=1, shared=decoded.batch_size, decode_s=decoded.decode_s)
        if not job.recorded:
            self.costs[job.kind].add(decoded.decode_s * 1000, decoded.batch_size, audio_s, time.perf_counter())

    def warm_up(self, language: str, beam_size: int) -> None:
        """Prove that the model decodes: caches fill, the averages have a first value. Raises `UnfitError`."""
        for kind, decoded in self.decoder.prove(language, beam_size).items():
            self.costs[kind].add(decoded.decode_s * 1000, 1, PROOF_S, time.perf_counter())

    def disclaim(self) -> None:
        """Let go of the finals that are done with; call it again and again. Raises `RedisError`."""
        if job_ids := tuple(self._done_with):
            self._redis.delete(*map(claim_key, job_ids))
            self._done_with.difference_update(job_ids)

    def _fetch(self, job: Job) -> Fetched:
        """All there is for a job, in one round trip. Raises `redis.RedisError`, and `Overtaken` for a partial.

        A final is claimed with it, so that it is missed if this process dies.
        """
        last = -1 if job.end is None else job.end * BYTES_PER_SAMPLE - 1
        pipe = self._redis.pipeline(transaction=False)
        pipe.getrange(job.audio_key, job.start * BYTES_PER_SAMPLE, last)
        if job.kind is Kind.FINAL:
            pipe.get(result_key(job.job_id))
            pipe.set(claim_key(job.job_id), self.worker_id, ex=AUDIO_TTL_S)
        else:
            pipe.get(job.overtaken_key)
        if job.before:
            pipe.get(job.before.audio_key)
        pcm, known, *others = pipe.execute(raise_on_error=False)  # a full Redis takes no claims
        for answer in (pcm, known):
            if isinstance(answer, redis.RedisError):
                raise answer
        if job.kind is Kind.PARTIAL and int(known or 0) >= job.number:
            raise Overtaken
        end = job.start + len(pcm) // BYTES_PER_SAMPLE
        there = pcm and (job.end is None or end >= job.end)
        before = others[-1] if job.before else None
        return Fetched(
            _samples(pcm) if there else None,
            end,
            known if job.kind is Kind.FINAL else None,
            _samples(before) if isinstance(before, bytes) else None,
        )


def _samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0


def _failure(job: Job, reason: str, *, retryable: bool) -> Failure:
    return Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason=reason, retryable=retryable)
