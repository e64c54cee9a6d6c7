"""A worker against a real Valkey: fetching, answering, repeating, failing."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import redis

from harness.echo import heard
from harness.stack import Stack
from transcription.core.contract import jobs, keyspace
from transcription.core.contract.jobs import Failure, Job, Kind, Transcript
from workers.engines.echo import EchoEngine
from workers.engines.engine import EngineError, Hypothesis, Request
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
    monkeypatch.setattr(worker.publisher, "tell", lambda job, payload: worker.told.append(jobs.decode_result(payload)))
    yield worker
    worker.decoder.close()


def job(name: str, **fields: object) -> Job:
    defaults = {
        "job_id": name, "group": "stt.session.x", "segment_id": "seg-0001", "kind": Kind.FINAL,
        "audio_key": f"stt:audio:test:{name}", "overtaken_key": f"stt:overtaken:test:{name}", "number": 1, "start": 0,
        "end": 16_000, "language": "pt", "beam_size": 5, "word_timestamps": True,
    }  # fmt: skip
    return Job(**(defaults | fields))


def test_a_final_decodes_its_stretch(worker: Worker, client: redis.Redis) -> None:
    """Up to its end, though more audio lies behind it."""
    client.set("stt:audio:test:final", PCM + PCM, ex=10)
    worker.do(job("final"))
    (answer,) = worker.told

    assert isinstance(answer, Transcript)
    assert (answer.text, answer.audio_end) == (heard(PCM), 16_000)


def test_a_partial_decodes_all_there_is_when_it_starts(worker: Worker, client: redis.Redis) -> None:
    """From its window's start on."""
    client.set("stt:audio:test:partial", PCM + PCM, ex=10)
    worker.do(job("partial", kind=Kind.PARTIAL, start=24_000, end=None))

    assert (worker.told[0].text, worker.told[0].audio_end) == (heard(PCM[-16_000:]), 32_000)


@pytest.mark.parametrize("there", [True, False])
def test_the_engine_is_given_the_segment_before_if_it_is_there(
    worker: Worker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Where it is gone the job is done all the same."""
    given: list[np.ndarray | None] = []
    prepare = worker.engine.prepare
    monkeypatch.setattr(worker.engine, "prepare", lambda *asked: given.append(asked[2]) or prepare(*asked))
    client.set("stt:audio:test:second", PCM, ex=10)
    client.delete("stt:before:test:second")
    if there:
        client.set("stt:before:test:second", PCM[:4_000], ex=10)
    before = jobs.Before(audio_key="stt:before:test:second", text="um")
    worker.do(job("second" if there else "second-alone", audio_key="stt:audio:test:second", before=before))

    assert worker.told[0].text == heard(PCM)
    assert [None if pcm is None else (pcm * 32768).astype("<i2").tobytes() for pcm in given] == [
        PCM[:4_000] if there else None
    ]


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
    assert 0 < client.ttl(keyspace.result_key("twice")) <= keyspace.RESULT_TTL_S


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

    assert client.get(keyspace.claim_key("claimed")) == b"worker-1"
    assert client.get(keyspace.claim_key("free")) is None


def test_an_unfit_worker_answers_nothing(client: redis.Redis, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The final that showed it stays claimed, so that the worker's end is that final's; the next is not taken."""
    for name in ("shows", "next"):
        client.set(f"stt:audio:test:{name}", PCM, ex=10)

    def broken(_: list[Request]) -> list[Hypothesis | EngineError]:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(worker.decoder._batcher, "_decode", broken)
    for name in ("shows", "next"):
        worker.do(job(name))
    worker.disclaim()

    assert worker.told == []
    assert client.get(keyspace.claim_key("shows")) == b"worker-1"
    assert client.get(keyspace.claim_key("next")) is None


def test_recordings_teach_admission_nothing(worker: Worker, client: redis.Redis) -> None:
    """Neither what a final costs, nor how often one comes: those of recordings are behind all others."""
    client.set("stt:audio:test:recorded", PCM, ex=10)
    worker.do(job("recorded", recorded=True))

    assert isinstance(worker.told[0], Transcript)
    assert worker.costs[Kind.FINAL].average_ms == 0.0
    assert worker.finals.at(time.perf_counter()) == worker.handling_ms.value == 0.0


def test_what_was_done_is_tallied(worker: Worker, client: redis.Redis) -> None:
    """By outcome; what failed in the model was not decoded; nothing is in hand any more."""
    for name, language in (("good", "pt"), ("better", "pt"), ("worse", "xx")):
        client.set(f"stt:audio:test:tally-{name}", PCM, ex=10)
        worker.do(job(f"tally-{name}", language=language))
    tally = worker.tally.now

    assert (tally.running, tally.done, tally.failed, tally.decoded, tally.shared) == (0, 2, 1, 2, 2)
    assert tally.decode_s > 0


class Counting(redis.Connection):
    """Counts what is sent."""

    sent = 0

    def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        Counting.sent += 1
        super().send_packed_command(*args, **kwargs)


@pytest.mark.parametrize(("kind", "trips"), [(Kind.FINAL, 2), (Kind.PARTIAL, 1)])
def test_a_job_costs_few_round_trips(echo_stack: Stack, kind: Kind, trips: int) -> None:
    """One for all there is to know of it, another for a final's copy; the session is told over the channel layer."""
    pool = redis.ConnectionPool.from_url(echo_stack.redis_url, connection_class=Counting)
    with redis.Redis.from_pool(pool) as client:
        worker = Worker(EchoEngine(), client, "worker-2")
        client.set(f"stt:audio:test:trips-{kind}", PCM, ex=10)
        before = Counting.sent
        worker.do(job(f"trips-{kind}", kind=kind))
        after = Counting.sent
        worker.decoder.close()

    assert after - before == trips
