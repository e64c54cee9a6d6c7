"""Events out of running processes: a real web process, Celery worker and sender, and a receiver that misbehaves."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from harness.audio import noise
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from tests.system.test_audit import log_in, post, rows
from tests.webhooks.receiver import Receiver, Told
from tests.webhooks.sending import ADMIN, Sending


@pytest.fixture(scope="module")
def receivers() -> list[Receiver]:
    """Two, none of them listening."""
    return [Receiver(), Receiver()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, receivers: list[Receiver]) -> Iterator[Sending]:
    """Everything, with both receivers' hosts allowed, and that of a third, whose address is in no network."""
    hosts = [*(receiver.url for receiver in receivers), f"http://localhost:{receivers[0].port}"]
    settings = {"STT_WEBHOOK_HOSTS": ",".join(hosts), "STT_WEBHOOK_NETWORKS": "127.0.0.1/32"}
    with Sending(tmp_path_factory.mktemp("webhooks"), ECHO | settings) as stack:
        yield stack.start()


@pytest.fixture
def stack(running: Sending, receivers: list[Receiver]) -> Iterator[Sending]:
    """Without webhooks, sessions, or a sender from before."""
    for receiver in receivers:
        receiver.forget()
    yield running
    for sender in running.running("webhooks"):
        running.kill(sender)
    with sqlite3.connect(running.database, timeout=10) as database:
        for table in ("delivery", "webhook", "segment", "session"):
            database.execute(f"DELETE FROM transcription_{table}")
    database.close()


@pytest.fixture
def receiver(stack: Sending, receivers: list[Receiver]) -> Receiver:
    return receivers[0]


async def call(stack: Stack, name: str, utterances: int = 1, **config: Any) -> list[dict]:
    """A session with so many utterances; its finals as the client has them."""
    async with Talker(stack.ws_url) as talker:
        await talker.start(session_id=name, config={"vad_enabled": False} | config)
        for number in range(utterances):
            await talker.stream(noise(0.5 + number / 10), pace=0)
            await talker.say("flush")
            await talker.until("final_transcript")
        await talker.end()
    return talker.of("final_transcript")


def closed(stack: Stack, name: str) -> bool:
    return bool(rows(stack, "SELECT 1 FROM transcription_session WHERE session_id = ? AND reason != ''", name))


async def test_what_a_client_hears_is_told_to_a_receiver_signed(stack: Sending, receiver: Receiver) -> None:
    """As the client has it, redacted where that is asked for; then the session's end. Nothing stays in the queue."""
    secret = stack.hook("crm", f"{receiver.url}/stt")
    stack.start_sender()
    with receiver.listening():
        finals = await call(stack, "call-1", 2, redact=["phone"])
        await asyncio.to_thread(until, lambda: len(receiver.taken) == 3, "three events")
    (end,) = receiver.of("session.closed")
    until(lambda: not stack.events(), "an empty queue")
    scraped = requests.get(f"{stack.http_url}/metrics", timeout=10).text

    assert all(told.is_signed_with(secret) for told in receiver.taken)
    assert sorted(told.body["data"]["transcript"]["text"] for told in receiver.of("segment.final")) == sorted(
        final["text"] for final in finals
    )
    assert (end.body["data"]["session"]["session_id"], end.body["data"]["reason"]) == ("call-1", "completed")
    assert len({told.id for told in receiver.told}) == 3
    assert 'stt_webhook_attempts_total{outcome="delivered",webhook="crm"} 3.0' in scraped
    assert 'stt_webhook_events{state="waiting",webhook="crm"} 0.0' in scraped


async def test_nothing_is_lost_while_the_receiver_is_down_and_everything_else_is_restarted(
    stack: Sending, receiver: Receiver
) -> None:
    """Receiver, sender (killed in the middle of an attempt), web process, worker and Redis: each event arrives."""
    stack.hook("crm", receiver.url)
    sender = stack.start_sender()
    finals = await call(stack, "call-2", 3)
    until(lambda: closed(stack, "call-2"), "the records")
    until(lambda: any(attempts for _, attempts, _ in stack.events()), "an attempt")
    stack.kill(sender)
    (web,), (worker,) = stack.webs, stack.ready("worker")
    for child in (web, worker):
        stack.terminate(child)
        child.wait(30)
    with stack.redis_down():
        pass
    waiting = {event_id for event_id, _, _ in stack.events()}
    with receiver.listening():
        stack.start_sender()
        until(lambda: len(receiver.of("segment.final")) == len(finals) and receiver.of("session.closed"), "all events")
        until(lambda: not stack.events(), "an empty queue")
    stack.await_worker(stack.again(worker))
    stack.again(web)
    until(lambda: requests.get(f"{stack.http_url}/health/live", timeout=2).ok, "the web process")

    assert len(waiting) == len(finals) + 1
    assert {told.id for told in receiver.taken} == waiting


async def test_what_fails_is_sent_again_as_the_same_event(stack: Sending, receiver: Receiver) -> None:
    """A receiver that has it twice knows by its id; the body is the same, the signature of its own time."""
    secret = stack.hook("crm", receiver.url, segment_final="")
    seen: Counter[str] = Counter()

    def fail_once(told: Told) -> tuple[int, dict[str, str]]:
        seen[told.id] += 1
        return (500 if seen[told.id] == 1 else 200), {}

    receiver.answer = fail_once
    stack.start_sender()
    with receiver.listening():
        await call(stack, "call-3")
        await asyncio.to_thread(until, lambda: receiver.taken, "the second attempt")
    first, second = receiver.told

    assert (first.id, first.raw) == (second.id, second.raw)
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    assert first.is_signed_with(secret) and second.is_signed_with(secret)


async def test_two_senders_send_an_event_once(stack: Sending, receiver: Receiver) -> None:
    stack.hook("crm", receiver.url)
    for _ in range(2):
        stack.start_sender()
    with receiver.listening():
        await call(stack, "call-4", 10)
        await asyncio.to_thread(until, lambda: len(receiver.taken) >= 11, "all events")
        until(lambda: not stack.events(), "an empty queue")

    assert set(Counter(told.id for told in receiver.told).values()) == {1}


async def test_a_slow_receiver_delays_nobody(stack: Sending, receivers: list[Receiver]) -> None:
    """It has a few requests open, and what is for others goes out meanwhile, finals of callers first of all."""
    slow, other = receivers
    stack.hook("slow", slow.url)
    stack.hook("other", other.url)
    over = threading.Event()
    slow.answer = lambda told: (204, {}) if over.wait(60) else (500, {})
    stack.start_sender()
    with ExitStack() as listening:
        for one in receivers:
            listening.enter_context(one.listening())
        finals = await call(stack, "call-5", 8)
        await asyncio.to_thread(until, lambda: len(other.taken) == 9, "what is for the other")
        taken_by_the_slow = len(slow.taken)
        over.set()
        await asyncio.to_thread(until, lambda: len({told.id for told in slow.taken}) == 9, "what is for the slow one")

    assert len(finals) == 8
    assert taken_by_the_slow == 0
    assert slow.most_open <= 4


@pytest.mark.parametrize(
    ("answer", "host", "why"),
    [
        ((302, {"Location": "http://169.254.169.254/"}), "127.0.0.1", "redirects are not followed"),
        ((204, {}), "localhost", "its address is private"),
    ],
)
async def test_what_is_given_up_waits_for_an_operator_to_send_it_again(
    stack: Sending, receiver: Receiver, answer: tuple[int, dict[str, str]], host: str, why: str
) -> None:
    """A redirect is followed nowhere, a private address asked for nothing; what was meant to be sent is not lost."""
    stack.hook("crm", f"http://{host}:{receiver.port}/", segment_final="")
    receiver.answer = lambda told: answer
    networks = "127.0.0.1/32" if host == "127.0.0.1" else "10.9.8.0/24"
    with receiver.listening():
        await call(stack, "call-6")
        until(stack.events, "the event")
        with sqlite3.connect(stack.database, timeout=10) as database:
            database.execute("UPDATE transcription_delivery SET until = created")
        database.close()
        sender = stack.start_sender(STT_WEBHOOK_NETWORKS=networks)
        until(lambda: stack.events()[0][2], "giving it up")
        asked = list(receiver.told)
        stack.kill(sender)
        receiver.answer = lambda told: (200, {})
        stack.start_sender(STT_WEBHOOK_NETWORKS="127.0.0.0/8,::1/128")
        with log_in(stack, "operator") as browser:
            listed = browser.get(f"{stack.http_url}{ADMIN}delivery/?state=given_up", timeout=10).text
            ((pk,),) = rows(stack, "SELECT id FROM transcription_delivery")
            post(browser, f"{stack.http_url}{ADMIN}delivery/", action="send_again", _selected_action=str(pk))
        await asyncio.to_thread(until, lambda: receiver.taken, "the event, sent again")

    assert [told.path for told in asked] == (["/"] if host == "127.0.0.1" else [])
    assert why in listed
    assert {told.id for told in receiver.told} == {receiver.taken[0].id}


async def test_erasing_a_caller_leaves_nothing_in_the_queue(stack: Sending, receiver: Receiver) -> None:
    """What waits for a receiver that is down never arrives, nor are its bytes in the file."""
    stack.hook("crm", receiver.url)
    (final,) = await call(stack, "call-gone")
    await call(stack, "call-kept")
    until(lambda: closed(stack, "call-kept"), "the records")
    stack.manage("erase", "call-gone")
    with sqlite3.connect(stack.database, timeout=10) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    left = stack.database.read_bytes()
    stack.start_sender()
    with receiver.listening():
        until(lambda: len(receiver.taken) == 2, "the other's events")
        until(lambda: not stack.events(), "an empty queue")

    assert final["text"]
    assert b"call-gone" not in left
    assert b"call-kept" in left
    assert {told.body["data"]["session"]["session_id"] for told in receiver.told} == {"call-kept"}


async def test_a_sender_that_is_stopped_finishes_what_it_has_begun(stack: Sending, receiver: Receiver) -> None:
    """And a database that is away for a moment does not end it."""
    stack.hook("crm", receiver.url, segment_final="")
    begun, over = threading.Event(), threading.Event()

    def wait(told: Told) -> tuple[int, dict[str, str]]:
        begun.set()
        return (204, {}) if over.wait(60) else (500, {})

    receiver.answer = wait
    sender = stack.start_sender()
    with receiver.listening():
        await call(stack, "call-8")
        assert await asyncio.to_thread(begun.wait, 60)
        stack.terminate(sender)
        over.set()
        await asyncio.to_thread(sender.wait, 30)

    assert sender.returncode == 0
    assert len(receiver.taken) == 1
    assert stack.events() == []
