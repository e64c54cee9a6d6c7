"""Admission under load, with real processes: two web processes, one worker or two, one lane of 200 ms a job each."""

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
import redis.asyncio
import requests
from prometheus_client.parser import text_string_to_metric_families

from harness.audio import noise
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from transcription.cluster.capacity import Capacity
from transcription.core.capacity.admission import Admitted, Principal, Refusal
from transcription.core.config import Limits
from transcription.core.contract.heartbeat import READ_S

STREAM = {"vad_enabled": False, "partial_results": False}
SOON_S = 2.1
"""Two seconds, and a page's answer."""
PLACES = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes and one worker."""
    settings = ECHO | {"STT_ECHO_DECODE_MS": "200", "STT_LANES": "1", "STT_MAX_SESSIONS": str(PLACES)}
    settings |= {"STT_MAX_QUEUE_DEPTH": "1000", "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "3000"}
    settings |= {"STT_MAX_FINAL_WAIT_S": "8", "STT_WORKER_THREADS": "4", "STT_MAX_PENDING_FINALS": "1000"}
    with Stack(tmp_path_factory.mktemp("load"), settings) as stack:
        yield stack.start(webs=2)


def status(stack: Stack, web: int = 0) -> dict[str, Any]:
    return requests.get(f"http://127.0.0.1:{stack.ports[web]}/health/status", timeout=5).json()


def calm(now: dict[str, Any]) -> bool:
    """Whether nobody is inside, nothing waits and nothing is shed."""
    return not now["sessions"]["active"] and not now["queue"]["depth"] and not now["capacity"]["step"]


def at_rest(stack: Stack) -> None:
    """Wait until nothing is left of what was before."""
    until(lambda: calm(status(stack)), "the cluster to be at rest")


async def final(talker: Talker, seed: int) -> None:
    """Ask for one final."""
    await talker.ws.send(noise(0.05, seed))
    await talker.say("flush")


async def test_a_caller_who_comes_right_back_finds_the_door_open(stack: Stack) -> None:
    """What its own last session asked for keeps nobody out: there is nobody else."""
    at_rest(stack)
    for number in range(4):
        async with Talker(stack.ws_url) as talker:
            assert (await talker.start(session_id=f"alone-{number}", config=STREAM))["type"] == "session_started"
            for seed in range(12):
                await final(talker, seed)
            await talker.say("end_session")
            await talker.until("session_ended")


async def test_two_processes_race_a_thousand_times_for_the_last_place(stack: Stack) -> None:
    """One gets it, the other is told why; the cluster never has more sessions than places."""
    most, over = 0, asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, await asyncio.to_thread(stack.redis.zcard, "stt:sessions"))

    async def race(racers: list[Talker], number: int) -> tuple[Talker, dict[str, Any]]:
        """The winner, and what the loser was told."""
        starts = (racer.start(session_id=f"race-{number}-{i}") for i, racer in enumerate(racers))
        answers = await asyncio.gather(*starts)
        assert sorted(answer["type"] for answer in answers) == ["error", "session_started"], answers
        lost = answers[0]["type"] == "error"
        return racers[lost], answers[not lost]

    async with Talker(stack.ws_url) as first, Talker(stack.ws_urls[1]) as second:
        for holder in (first, second):
            assert (await holder.start())["type"] == "session_started"
        watching = asyncio.create_task(watch())
        racers = [await Talker(url).__aenter__() for url in stack.ws_urls]
        reasons = set()
        for number in range(1000):
            winner, refused = await race(racers, number)
            reasons.add((refused["code"], refused["message"]))
            await winner.say("cancel")
            await winner.until("session_ended")
            place = racers.index(winner)
            await winner.ws.close()
            racers[place] = await Talker(stack.ws_urls[place]).__aenter__()
        over.set()
        await watching
        for racer in racers:
            await racer.ws.close()

    assert most == PLACES
    assert reasons == {("MAX_SESSIONS_REACHED", f"Maximum sessions reached: {PLACES}")}


async def test_the_prediction_is_right_at_steady_load(stack: Stack) -> None:
    """Three sessions, each with one final on its way most of the time: the means differ by less than a quarter."""
    at_rest(stack)

    async def speak(talker: Talker, finals: int) -> None:
        for seed in range(finals):
            await final(talker, seed)
            await talker.until("final_transcript")
            await asyncio.sleep(0.15)

    before = timings(stack)
    async with Talker(stack.ws_url) as one, Talker(stack.ws_url) as two, Talker(stack.ws_url) as three:
        for talker in (one, two, three):
            await talker.start(config=STREAM)
        await asyncio.gather(*(speak(talker, 15) for talker in (one, two, three)))
    predicted, actual, count = (after - was for after, was in zip(timings(stack), before, strict=True))

    assert count == 45
    assert predicted == pytest.approx(actual, rel=0.25)


def timings(stack: Stack) -> tuple[float, float, float]:
    """Seconds predicted, seconds taken, finals."""
    text = requests.get(f"{stack.http_url}/metrics", timeout=5).text
    samples = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
    name = "stt_final_{}_seconds_{}".format
    return samples[name("predicted", "sum")], samples[name("actual", "sum")], samples[name("actual", "count")]


async def until_refused(stack: Stack) -> list[tuple[int, int]]:
    """Submit finals until new sessions are refused; jobs on their way and what was promised then, last one refused."""
    at_rest(stack)
    seen = []
    async with Talker(stack.ws_url) as talker:
        await talker.start(config=STREAM)
        for seed in range(200):
            await final(talker, seed)
            now = await asyncio.to_thread(status, stack, 1)
            seen.append((now["queue"]["depth"], now["capacity"]["estimated_max_concurrent"]))
            if not now["accepting_requests"]:
                break
        await talker.say("cancel")
        await talker.until("session_ended")
    return seen


async def test_a_second_worker_doubles_the_capacity_and_its_death_halves_it(stack: Stack) -> None:
    """What is promised: 1.6 to 2.0 times, within two seconds of a change; what is admitted is what is promised."""
    at_rest(stack)
    promised_by_one, admitted_by_one = status(stack)["capacity"]["estimated_max_concurrent"], await until_refused(stack)
    at_rest(stack)
    worker = stack.start_worker()
    until(lambda: status(stack)["capacity"]["estimated_max_concurrent"] > promised_by_one, "the worker's share", SOON_S)
    promised_by_two, admitted_by_two = status(stack)["capacity"]["estimated_max_concurrent"], await until_refused(stack)
    at_rest(stack)
    stack.kill(worker)
    until(lambda: halved(stack, promised_by_two), "half the capacity", SOON_S)

    assert 1.6 * promised_by_one <= promised_by_two <= 2.0 * promised_by_one + 2, "within a job of each, as costs move"
    for *admitted, refused in (admitted_by_one, admitted_by_two):
        assert all(depth + 1 <= promised + 1 for depth, promised in admitted)
        depth, promised = refused
        assert depth + 1 >= promised - 1


def halved(stack: Stack, capacity: int) -> bool:
    """Whether both web processes say so."""
    return all(0.4 <= status(stack, web)["capacity"]["estimated_max_concurrent"] / capacity <= 0.625 for web in (0, 1))


async def test_sessions_are_told_of_each_step_down_and_back(stack: Stack) -> None:
    """Steps rise with the queue, fall one by one behind it, on both processes; each is told once."""
    at_rest(stack)
    async with Talker(stack.ws_url) as busy, Talker(stack.ws_urls[1]) as idle, Talker(stack.ws_urls[1]) as late:
        await busy.start(config=STREAM)
        await idle.start()
        for seed in range(20):
            await final(busy, seed)
        told = [await idle.until("status")]
        refused = await late.start()
        gauge = requests.get(f"{stack.http_url}/metrics", timeout=5).text
        shown = await asyncio.to_thread(status, stack)
        while told[-1]["step"]:
            told.append(await idle.until("status"))
        await busy.end()
        again = await late.start()
    steps = [message["step"] for message in told]

    assert steps == [*([steps[0]] if steps[0] < 5 else []), 5, 4, 3, 2, 1, 0]
    assert [message["partials"] for message in told][-4:] == [False, True, True, True]
    assert [message["partial_interval_ms"] for message in told][-3:] == [1200, 600, 300]
    assert refused["code"] == "QUEUE_CONGESTION"
    assert refused["retry_after_ms"] >= 1000
    assert "stt_admission_step 5.0" in gauge
    assert shown["capacity"]["step"] == 5
    assert not shown["accepting_requests"]
    assert again["type"] == "session_started"
    assert len(busy.of("final_transcript")) == 20


async def test_a_key_s_sessions_are_counted_across_processes(stack: Stack) -> None:
    """Its limit refuses its own sessions alone; a place given back is free at once."""
    at_rest(stack)
    limits = Limits(max_sessions=100, max_estimated_server_total_ms=100_000)
    mine, other = Principal("k1", "mine", 2), Principal("k2", "other", None)
    clients = [redis.asyncio.Redis.from_url(stack.redis_url) for _ in range(2)]
    one, two = (Capacity(client, limits) for client in clients)
    answers = await asyncio.gather(*(web.admit(f"k-{i}", f"uid-{i}", mine) for i, web in enumerate([one, two] * 10)))
    held = [i for i, answer in enumerate(answers) if isinstance(answer, Admitted)]
    refused = next(answer for answer in answers if isinstance(answer, Refusal))
    foreign = await one.admit("k-other", "uid-other", other)
    await [one, two][held[0] % 2].release(f"uid-{held[0]}")
    again = await one.admit("k-again", "uid-again", mine)
    for web in (one, two):
        for owner in list(web._owned):
            await web.release(owner)
    for client in clients:
        await client.aclose()

    assert len(held) == 2
    assert (refused.code, refused.message) == ("MAX_SESSIONS_REACHED", "Maximum sessions of this API key reached: 2")
    assert isinstance(foreign, Admitted)
    assert isinstance(again, Admitted)
    assert not stack.redis.exists("stt:sessions:k1", "stt:sessions:k2")


async def test_a_full_redis_refuses_the_new_and_loses_nothing_of_the_old(stack: Stack) -> None:
    """No memory: a start gets a clear error; the final of who is inside comes when there is memory again."""
    at_rest(stack)
    async with Talker(stack.ws_url) as talker, Talker(stack.ws_urls[1]) as late:
        await talker.start(config=STREAM)
        stack.redis.setrange(
            "ballast", 30_000_000, b"x"
        )  # a long command would count as memory until its buffer is freed
        used = stack.redis.info("memory")["used_memory"]
        stack.redis.config_set("maxmemory", int(used * 1.05))
        await asyncio.sleep(2 * READ_S)  # what a web process knows of memory is that old
        nearly = await late.start()
        stack.redis.config_set("maxmemory", used // 2)
        await talker.ws.send(noise(1.0))
        await talker.say("flush")
        await asyncio.sleep(2.5)  # longer than a heartbeat lives
        full = await late.start()
        workers = stack.redis.scard("stt:workers")
        stack.redis.config_set("maxmemory", 0)
        stack.redis.delete("ballast")
        answer = await talker.until("final_transcript")

    assert nearly["code"] == full["code"] == "QUEUE_CONGESTION"
    assert "memory is full" in nearly["message"]
    assert "memory is full" in full["message"]
    assert workers == 1
    assert answer["audio_duration_ms"] == 1000.0
    assert not talker.of("error")


async def test_a_final_that_waits_too_long_is_told_and_recorded(stack: Stack) -> None:
    """Past STT_MAX_FINAL_WAIT_S: QUEUE_FULL with its segment, in order, and the record says so."""
    at_rest(stack)
    async with Talker(stack.ws_url) as talker:
        await talker.start(session_id="waits", config=STREAM)
        for seed in range(60):
            await final(talker, seed)
        await talker.end()
    answered = {message["segment_id"] for message in talker.of("final_transcript")}
    lost = {message["segment_id"]: message["code"] for message in talker.of("error")}
    with sqlite3.connect(stack.database) as database:
        query = "SELECT g.segment_id, g.failure FROM transcription_segment g JOIN transcription_session s ON s.id ="
        query += " g.session_id WHERE s.session_id = 'waits' AND failure != ''"
        until(lambda: len(database.execute(query).fetchall()) == len(lost), "the records")
        recorded = dict(database.execute(query).fetchall())
    database.close()

    assert len(answered) + len(lost) == 60
    assert answered.isdisjoint(lost)
    assert len(lost) > 5
    assert set(lost.values()) == {"QUEUE_FULL"}
    assert recorded == dict.fromkeys(lost, "Queue full: no worker got to this segment within 8 s")


async def test_a_worker_that_leaves_by_itself_is_gone_at_once(stack: Stack) -> None:
    """SIGTERM: without any worker nobody gets in, and the page says so."""
    at_rest(stack)
    (worker,) = stack.running("worker")
    stack.terminate(worker)
    until(lambda: status(stack)["status"] == "not_ready", "readiness to go", SOON_S)
    async with Talker(stack.ws_url) as talker:
        refused = await talker.start()

    assert not status(stack)["accepting_requests"]
    assert status(stack)["capacity"]["estimated_max_concurrent"] == 0
    assert (refused["code"], refused["message"]) == ("QUEUE_CONGESTION", "No worker is ready")
