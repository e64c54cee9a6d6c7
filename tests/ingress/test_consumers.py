"""What the consumer does with each effect, against a cluster in memory: no Redis, no worker, no socket."""

import asyncio
from dataclasses import replace

import pytest

from tests.core.session.fakes import FAST, ScriptedVad, transcript
from tests.ingress.place import FRAME, KEY, TICK_S, Place, settled
from transcription import metrics
from transcription.cluster.recovery import JobStates
from transcription.core.capacity.admission import key_withdrawn
from transcription.core.contract import keyspace
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.contract.messages import CANCEL_TYPE, OBSERVE_TYPE
from transcription.core.session.effects import RecordClosed, RecordFailedSegment, RecordOpened, RecordSegment
from transcription.core.session.pending_finals import CHECK_AFTER_S
from transcription.ingress import draining
from transcription.ingress.listening import MANY


class BrokenVad(ScriptedVad):
    """Has a fault."""

    def __call__(self, pcm: bytes) -> float:
        raise RuntimeError("broken")


@pytest.mark.parametrize("streams", [1, MANY])
async def test_a_conversation_from_start_to_end(place: Place, streams: int) -> None:
    """Its place, its audio, its jobs, its records: taken, stored, sent, written, and given back."""
    place.streams = streams
    async with place.line() as line:
        assert await line.start() == {"type": "session_started", "session_id": "s"}
        owner = place.cluster.leases["s"].owner
        assert draining.sessions == {owner}
        await line.speak()
        assert (await line.hear())["state"] == "speech_start"
        assert (await line.hear())["state"] == "speech_end"
        stored = place.cluster.audio[keyspace.audio_key(owner, "seg-0001")]
        await place.answer(transcript(place.final(), "olá"))
        final = await line.until("final_transcript")
        assert (final["text"], len(stored)) == ("olá", 2 * place.final().end)
        await settled(lambda: not place.cluster.audio)
        await line.say("end_session")
        assert await line.until("session_ended") == {
            "type": "session_ended", "session_id": "s", "reason": "completed", "total_audio_ms": 416.0,
            "total_segments": 1,
        }  # fmt: skip
        assert await line.socket.receive_output() == {"type": "websocket.close", "code": 1000}

    kinds = (RecordOpened, RecordSegment, RecordClosed)
    assert [len(place.records.of(kind)) for kind in kinds] == [1, 1, 1]
    assert (place.cluster.leases, draining.sessions) == ({}, set())
    assert not place.layer.groups


async def test_a_refusal_is_told_and_another_start_may_follow(place: Place) -> None:
    async with place.line() as line:
        place.cluster.load = replace(place.cluster.load, workers=0)
        refused = await line.start()
        place.cluster.load = replace(place.cluster.load, workers=1)

        assert (refused["code"], refused["message"]) == ("QUEUE_CONGESTION", "No worker is ready")
        assert (await line.start())["type"] == "session_started"


async def test_nobody_starts_at_a_server_that_stops(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    draining.began.set()
    monkeypatch.setattr(place.cluster, "admit", pytest.fail)
    try:
        async with place.line() as line:
            assert (await line.start())["message"] == "The server is shutting down"
    finally:
        draining.began.clear()


async def test_a_full_queue_takes_no_partials_from_the_next_frame_on(place: Place) -> None:
    """And the client is told so."""
    async with place.line() as line:
        await line.start()
        place.cluster.load = replace(place.cluster.load, step=5)
        await line.speak(windows=20, pause=0)
        status = await line.until("status")

        assert (status["step"], status["partials"]) == (5, False)
        assert not place.cluster.jobs


async def test_a_final_that_is_late_is_checked_on(place: Place) -> None:
    """Lost: it is sent again with its audio. Answered unheard: the answer is taken."""
    async with place.line() as line:
        await line.start()
        await line.speak()
        await settled(lambda: place.cluster.jobs)
        place.now += CHECK_AFTER_S
        await settled(lambda: place.cluster.asked)
        (job_ids, tell) = place.cluster.asked.pop()
        assert job_ids == (place.final().job_id,)
        place.cluster.audio.clear()
        tell(JobStates(lost=[*job_ids]))
        await settled(lambda: place.cluster.jobs.count(place.final()) == 2)
        assert len(place.cluster.audio[place.final().audio_key]) == 2 * place.final().end
        place.now += CHECK_AFTER_S
        await settled(lambda: place.cluster.asked)
        place.cluster.asked.pop()[1](JobStates(results=[transcript(place.final(), "olá")]))

        assert (await line.until("final_transcript"))["text"] == "olá"


async def test_a_final_that_kills_workers_is_given_up(place: Place) -> None:
    async with place.line() as line:
        await line.start()
        await line.speak()
        await settled(lambda: place.cluster.jobs)
        for tries in (2, 3, 3):
            place.now += CHECK_AFTER_S
            await settled(lambda: place.cluster.asked)
            job_ids, tell = place.cluster.asked.pop()
            tell(JobStates(died=[*job_ids]))
            await settled(lambda tries=tries: len(place.cluster.jobs) == tries)
        error = await line.until("error")

    assert (error["code"], error["segment_id"]) == ("INFERENCE_ERROR", "seg-0001")
    assert len(place.records.of(RecordFailedSegment)) == 1


async def test_while_redis_takes_nothing_nobody_is_asked(place: Place) -> None:
    """Nor is anything taken for lost: it waits here."""
    async with place.line() as line:
        await line.start()
        await line.speak()
        await settled(lambda: place.cluster.jobs)
        place.cluster.stuck = True
        place.now += 10 * FAST.result_timeout_s
        await asyncio.sleep(20 * TICK_S)

        assert (len(place.cluster.jobs), place.cluster.asked) == (1, [])


async def test_an_operator_watches_and_cancels(place: Place) -> None:
    """With what is said only where that is asked for."""
    watcher = await place.layer.new_channel()
    async with place.line() as line:
        await line.start()
        await line.speak()
        await settled(lambda: place.cluster.jobs)
        await place.answer(transcript(place.final(), "segredo"))
        await line.until("final_transcript")
        shown = []
        for text in (True, False):
            await place.layer.group_send(keyspace.SESSIONS_GROUP, {"type": OBSERVE_TYPE, "to": watcher, "text": text})
            shown.append((await place.layer.receive(watcher))["report"])
        await place.layer.group_send(place.final().group, {"type": CANCEL_TYPE})

        assert [report["text"] for report in shown] == ["segredo", None]
        assert (shown[0]["session_id"], shown[0]["client"], shown[0]["segments"]) == ("s", "192.0.2.7", 1)
        assert (await line.until("session_ended"))["reason"] == "cancelled"


async def test_the_server_stops(place: Place) -> None:
    """The client is told, and closed with 1012."""
    async with place.line() as line:
        await line.start()
        await line.socket.send_input({"type": draining.STOP})

        assert (await line.until("error"))["message"].startswith("The server is shutting down")
        assert (await line.until("session_ended"))["reason"] == "error"
        assert (await line.socket.receive_output())["code"] == 1012


async def test_a_fault_ends_the_session_without_details(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """They are in the log."""
    place.vad = BrokenVad()
    async with place.line() as line:
        await line.start()
        await line.socket.send_to(bytes_data=FRAME)
        error = await line.until("error")

        assert error["message"] == "Internal error; the session is over"
        assert (await line.until("session_ended"))["reason"] == "error"
        assert (await line.socket.receive_output())["code"] == 1011
    assert "A session failed" in caplog.text


async def test_a_client_that_has_gone_is_still_transcribed(place: Place) -> None:
    """The consumer stays for the final, records it, and gives the place back."""
    async with place.line() as line:
        await line.start()
        await line.speak(pause=0)
        await line.socket.send_input({"type": "websocket.disconnect", "code": 1006})
        await settled(lambda: place.cluster.jobs and place.final())
        assert place.cluster.leases
        await place.answer(transcript(place.final(), "adeus"))
        await line.socket.wait()

    (final,) = place.records.of(RecordSegment)
    (closed,) = place.records.of(RecordClosed)
    assert (final.final.text, closed.reason) == ("adeus", "disconnected")
    assert (place.cluster.leases, draining.sessions) == ({}, set())


async def test_a_session_is_taken_over_by_another_connection(place: Place) -> None:
    """It goes on after what is settled; the connection that had it is closed and not missed."""
    async with place.line() as first:
        await first.start(resume=True)
        await first.speak()
        await settled(lambda: place.cluster.jobs)
        await place.answer(transcript(place.final(), "um"))
        await first.until("final_transcript")
        async with place.line() as second:
            started = await second.start(resume=True, last_segment_id="seg-0001")
            assert started["resumed"] is True
            assert started["audio_received_ms"] > 0
            assert (await first.socket.receive_output())["type"] == "websocket.close"
            assert place.cluster.leases["s"].owner != place.final().group.rpartition(".")[2]


async def test_a_key_is_metered_and_may_be_withdrawn(place: Place) -> None:
    """What it used is on its account; then its sessions end with the reason."""
    async with place.line(KEY) as line:
        await line.start()
        await line.speak(windows=10, pause=0)
        await settled(lambda: place.account.audio_ms)
        place.account.withdrawn = key_withdrawn()
        error = await line.until("error")
        await place.answer(transcript(place.final()))
        await line.until("session_ended")

        assert error["code"] == "UNAUTHORIZED"
        assert (await line.socket.receive_output())["code"] == 1008
    assert place.account.audio_ms == pytest.approx(320)


async def test_a_key_may_not_start(place: Place) -> None:
    place.account.refuses = key_withdrawn()
    async with place.line(KEY) as line:
        assert (await line.start())["code"] == "UNAUTHORIZED"
    assert not place.cluster.leases


async def test_answers_are_counted_with_what_was_predicted(place: Place) -> None:
    """A final's failure counts as one; a worker's answer is compared with the estimate of its time."""
    failed = metrics.jobs_total.labels(Kind.FINAL, "failed")._value
    before = failed.get()
    async with place.line() as line:
        await line.start()
        await line.speak()
        await settled(lambda: place.cluster.jobs)
        job = place.final()
        failure = Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=False)
        await place.answer(failure)

        assert (await line.until("error"))["message"] == "no"
    assert failed.get() == before + 1
