"""Finals first, the oldest first, one thread, every request answered."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.waiting import until
from transcription.core.contract.jobs import Job, Kind
from workers import yielding
from workers.batching import Batcher, Ticket, pick
from workers.engines.engine import EngineError, Hypothesis, Request


def request(name: str, kind: Kind = Kind.FINAL, *, recorded: bool = False) -> Request:
    job = Job(
        job_id=name, group="", segment_id="", kind=kind, audio_key="", overtaken_key="", number=0, start=0, end=None,
        language="pt", beam_size=1, word_timestamps=False, recorded=recorded,
    )  # fmt: skip
    return Request(job, np.zeros(0, np.float32))


def test_pick_takes_finals_first_then_the_oldest() -> None:
    """Whatever the order of arrival."""
    kinds = [Kind.PARTIAL, Kind.FINAL, Kind.PARTIAL, Kind.FINAL]
    waiting = [Ticket(request(str(i), kind), arrived=10.0 - i) for i, kind in enumerate(kinds)]

    assert [ticket.request.job.job_id for ticket in pick(waiting, 3)] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("recorded", "due", "batches"),
    [
        (2, False, [["f", "g"], ["p"], ["r", "s"], ["t"]]),
        (1, False, [["f", "g"], ["p"], ["r"], ["s"], ["t"]]),
        (1, True, [["f", "g"], ["r"], ["s"], ["t"], ["p"]]),
        (0, True, [["f", "g"], ["p"]]),
    ],
)
def test_recordings_come_last_and_share_a_batch_with_nobody(recorded: int, due: bool, batches: list[list[str]]) -> None:
    """Before partials where they are due, before finals never; few of them together."""
    waiting = [Ticket(request(name, recorded=True), arrived=0.0) for name in "rst"]
    waiting += [Ticket(replace(request("p", Kind.PARTIAL), key="partial"), arrived=1.0)]
    waiting += [Ticket(request(name), arrived=2.0) for name in "fg"]
    picked = []
    while batch := pick(waiting, 8, recorded, due=due):
        picked.append([ticket.request.job.job_id for ticket in batch])
        waiting = [ticket for ticket in waiting if ticket not in batch]

    assert picked == batches


class GatedDecode:
    """Decodes what it is given, one batch a release."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.gate = threading.Semaphore(0)
        self.entered = threading.Event()

    def __call__(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        self.entered.set()
        self.gate.acquire()
        names = [one.job.job_id for one in batch]
        self.batches.append(names)
        self.threads.add(threading.current_thread().name)
        if "explode" in names:
            raise RuntimeError("the model broke")
        return [EngineError("no", retryable=False) if n == "bad" else Hypothesis(n, 1.0, []) for n in names]


def test_what_waits_while_the_model_is_busy_goes_together_finals_first() -> None:
    """One call for all, up to the limit, in one thread."""
    decode = GatedDecode()
    batcher = Batcher(decode, max_batch=2)
    first = batcher.submit(request("first", Kind.PARTIAL))
    decode.entered.wait(5)
    later = [batcher.submit(request(n, k)) for n, k in (("p", Kind.PARTIAL), ("f", Kind.FINAL), ("g", Kind.FINAL))]
    for _ in range(3):
        decode.gate.release()

    assert first.result(5).hypothesis.text == "first"
    assert [future.result(5).hypothesis.text for future in later] == ["p", "f", "g"]
    assert decode.batches == [["first"], ["f", "g"], ["p"]]
    assert len(decode.threads) == 1
    batcher.close()


def test_a_recording_leaves_a_lane_to_people_who_speak() -> None:
    """Whose final is decoded beside it, though more of recordings waited before."""
    decode = GatedDecode()
    batcher = Batcher(decode, max_batch=8, lanes=2)
    recorded = [batcher.submit(request(name, recorded=True)) for name in ("r", "s")]
    until(lambda: batcher._recorded == 1, "the first one's turn")
    final = batcher.submit(request("f"))
    until(lambda: len(batcher._busy_since) == 2, "both lanes")
    for _ in range(2):
        decode.gate.release()

    assert final.result(5).hypothesis.text == "f"
    assert recorded[0].result(5).hypothesis.text == "r"
    assert not recorded[1].done()
    decode.gate.release()
    batcher.close()


def test_a_recording_has_its_turn_where_partials_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always one that waits."""
    monkeypatch.setattr(yielding, "RECORDED_TURN_S", 0.2)

    def decode(batch: list[Request]) -> list[Hypothesis | EngineError]:
        time.sleep(0.01)
        return [Hypothesis(one.job.job_id, 1.0, []) for one in batch]

    batcher = Batcher(decode, max_batch=1)
    batcher.yielding.recorded(time.perf_counter())
    partials = [batcher.submit(request("p", Kind.PARTIAL)) for _ in range(2)]
    recorded = batcher.submit(request("r", recorded=True))
    while not recorded.done():
        partials.append(batcher.submit(request("p", Kind.PARTIAL)))
        partials.pop(0).result(5)

    assert recorded.result().hypothesis.text == "r"
    batcher.close()


def test_a_job_that_was_sent_again_may_wait_beside_its_first_copy() -> None:
    """Each is answered, and the thread lives on."""
    decode = GatedDecode()
    batcher = Batcher(decode, max_batch=1)
    job = request("sent again").job
    batcher.submit(request("busy"))
    decode.entered.wait(5)
    twice = [batcher.submit(Request(job, np.zeros(160, np.float32))) for _ in range(2)]
    for _ in range(3):
        decode.gate.release()

    assert [future.result(5).hypothesis.text for future in twice] == ["sent again"] * 2


def test_a_failure_is_its_own_request_s_alone_and_the_thread_lives_on() -> None:
    """An EngineError answers its request; so does what a decode raises; the next batch is decoded."""
    decode = GatedDecode()
    for _ in range(4):
        decode.gate.release()
    batcher = Batcher(decode, max_batch=1)
    futures = [batcher.submit(request(name)) for name in ("good", "bad", "explode", "after")]

    assert futures[0].result(5).hypothesis.text == "good"
    with pytest.raises(EngineError):
        futures[1].result(5)
    with pytest.raises(RuntimeError):
        futures[2].result(5)
    assert futures[3].result(5).hypothesis.text == "after"
    batcher.close()


def test_of_a_batch_that_fails_each_request_is_decoded_alone() -> None:
    """Only what cannot be decoded by itself fails."""
    decode = GatedDecode()
    for _ in range(6):
        decode.gate.release()
    batcher = Batcher(decode, max_batch=4)
    with batcher._changed:  # the lane sees them all at once
        futures = [batcher.submit(request(name)) for name in ("one", "explode", "two")]

    assert [futures[i].result(5).hypothesis.text for i in (0, 2)] == ["one", "two"]
    with pytest.raises(RuntimeError):
        futures[1].result(5)
    assert decode.batches == [["one", "explode", "two"], ["one"], ["explode"], ["two"]]
    batcher.close()
