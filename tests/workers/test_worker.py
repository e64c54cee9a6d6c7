"""A worker against a real Valkey: fetching, answering, repeating, failing."""

from collections.abc import Iterator

import numpy as np
import pytest
import redis

from tests.system.stack import Stack
from transcription.core import jobs
from transcription.core.jobs import Failure, Job, Kind, Transcript
from workers.echo import EchoEngine, echo
from workers.engine import EngineError, Hypothesis, Request
from workers.worker import Worker

PCM = np.arange(16_000, dtype="<i2").tobytes()


class Grumpy(EchoEngine):
    """Fails in the way the language says."""

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        if batch[0].job.language == "xx":
            return [EngineError("I do not speak xx", retryable=False)]
        if batch[0].job.language == "yy":
            raise RuntimeError("secret path /etc/passwd")
        return super().decode(batch)


@pytest.fixture(scope="module")
def client(echo_stack: Stack) -> redis.Redis:
    return echo_stack.redis


@pytest.fixture
def worker(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    worker = Worker(Grumpy(), client, "worker-1")
    worker.told = []
    monkeypatch.setattr(
        worker._publisher, "_tell", lambda job, payload: worker.told.append(jobs.decode_result(payload))
    )
    yield worker
    worker.close()


def job(name: str, **fields: object) -> Job:
    defaults = {
        "job_id": name, "group": "stt.session.x", "segment_id": "seg-0001", "kind": Kind.FINAL,
        "audio_key": f"stt:audio:test:{name}", "overtaken_key": f"stt:overtaken:test:{name}", "number": 1, "start": 0,
        "end": 16_000, "language": "pt", "beam_size": 5, "word_timestamps": True,
    }  # fmt: skip
    return Job(**(defaults | fields))


def expected(pcm: bytes) -> str:
    return echo(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0)


def test_a_final_decodes_its_stretch(worker: Worker, client: redis.Redis) -> None:
    """Up to its end, though more audio lies behind it."""
    client.set("stt:audio:test:final", PCM + PCM, ex=10)
    worker.do(job("final"))
    (answer,) = worker.told

    assert isinstance(answer, Transcript)
    assert (answer.text, answer.audio_end) == (expected(PCM), 16_000)


def test_a_partial_decodes_all_there_is_when_it_starts(worker: Worker, client: redis.Redis) -> None:
    """From its window's start on."""
    client.set("stt:audio:test:partial", PCM + PCM, ex=10)
    worker.do(job("partial", kind=Kind.PARTIAL, start=24_000, end=None))

    assert (worker.told[0].text, worker.told[0].audio_end) == (expected(PCM[-16_000:]), 32_000)


@pytest.mark.parametrize(("number", "answers"), [(3, 0), (4, 1)])
def test_an_overtaken_partial_is_not_decoded(worker: Worker, client: redis.Redis, number: int, answers: int) -> None:
    """Those up to the number in Redis; later ones are."""
    client.set("stt:audio:test:old", PCM, ex=10)
    client.set("stt:overtaken:test:old", 3, ex=10)
    worker.do(job("old", kind=Kind.PARTIAL, number=number, end=None))

    assert len(worker.told) == answers


def test_a_final_sent_twice_is_decoded_once(worker: Worker, client: redis.Redis) -> None:
    """The second answer is the stored copy of the first, even when the audio is gone."""
    client.set("stt:audio:test:twice", PCM, ex=10)
    worker.do(job("twice"))
    client.delete("stt:audio:test:twice")
    worker.do(job("twice"))

    assert worker.told[0] == worker.told[1]
    assert 0 < client.ttl(jobs.result_key("twice")) <= jobs.RESULT_TTL_S


@pytest.mark.parametrize(
    ("name", "fields", "reason", "retryable"),
    [
        ("gone", {}, "The segment's audio is gone", True),
        ("short", {"end": 16_001}, "The segment's audio is gone", True),
        ("refused", {"language": "xx"}, "I do not speak xx", False),
        ("broken", {"language": "yy"}, "The model failed on this segment", True),
    ],
)
def test_failure_is_an_answer(
    worker: Worker, client: redis.Redis, name: str, fields: dict, reason: str, retryable: bool
) -> None:
    """Nothing is silent; internals stay inside."""
    if name != "gone":
        client.set(f"stt:audio:test:{name}", PCM, ex=10)
    worker.do(job(name, **fields))
    (answer,) = worker.told

    assert isinstance(answer, Failure)
    assert (answer.reason, answer.retryable) == (reason, retryable)


def test_a_failure_worth_another_try_is_not_kept(worker: Worker, client: redis.Redis) -> None:
    """Sent again, the job is run again."""
    client.set("stt:audio:test:retry", PCM, ex=10)
    worker.do(job("retry", language="yy"))
    worker.do(job("retry"))

    assert isinstance(worker.told[1], Transcript)


def test_a_final_is_claimed_and_a_partial_is_not(worker: Worker, client: redis.Redis) -> None:
    """Who died with it can be told."""
    for name, kind in (("claimed", Kind.FINAL), ("free", Kind.PARTIAL)):
        client.set(f"stt:audio:test:{name}", PCM, ex=10)
        worker.do(job(name, kind=kind))

    assert client.get(jobs.claim_key("claimed")) == b"worker-1"
    assert client.get(jobs.claim_key("free")) is None
