"""One talker, over a socket that is only pretended."""

import asyncio
import json

import pytest
from bench_material import spoken
from websockets.exceptions import ConnectionClosedOK

from benchmarks.record import Record
from benchmarks.schedule import FRAME_S, assemble
from benchmarks.talker import converse

STARTED = {"type": "session_started", "session_id": "x"}
ENDED = {"type": "session_ended", "reason": "completed"}
REFUSED = {"type": "error", "code": "MAX_SESSIONS_REACHED", "message": "", "session_id": "x"}


class Socket:
    """Answers a start with `first` and an end with `last`, then closes."""

    def __init__(self, first: dict, last: dict | None) -> None:
        self.sent: list[str | bytes] = []
        self._answers: asyncio.Queue[dict | None] = asyncio.Queue()
        self._first, self._last = first, last

    async def send(self, message: str | bytes) -> None:
        """Keep what was sent, and answer."""
        self.sent.append(message)
        if isinstance(message, str):
            if json.loads(message)["type"] == "start_session":
                self._answers.put_nowait(self._first)
            elif self._last:
                self._answers.put_nowait(self._last)
                self._answers.put_nowait(None)

    async def recv(self) -> str:
        """The next answer."""
        answer = await self._answers.get()
        if answer is None:
            raise ConnectionClosedOK(None, None)
        return json.dumps(answer)


@pytest.fixture
def record() -> Record:
    """A tenth of a second of speech."""
    return Record(assemble([spoken(0.1)], [0.04, 0.04]))


async def test_a_session_is_played_in_full(record: Record) -> None:
    """Start, every frame, end; and every answer is kept."""
    socket = Socket(STARTED, ENDED)

    await converse(socket, record, drain_s=1.0)

    assert json.loads(socket.sent[0])["type"] == "start_session"
    assert b"".join(socket.sent[1:-1]) == record.script.pcm.tobytes()
    assert json.loads(socket.sent[-1]) == {"type": "end_session"}
    assert [received.message for received in record.received] == [STARTED, ENDED]
    assert record.completed
    assert record.sent == len(record.script.pcm)


async def test_frames_are_never_early_and_do_not_drift(record: Record) -> None:
    """Each has its own deadline, counted from the start."""
    await converse(Socket(STARTED, ENDED), record, drain_s=1.0)

    assert len(record.lags_ms) == 9
    assert min(record.lags_ms) >= -1.0
    assert record.received[-1].at >= record.began_at + 9 * FRAME_S - 0.001


async def test_a_refused_session_sends_no_audio(record: Record) -> None:
    """The refusal is kept."""
    socket = Socket(REFUSED, None)

    await converse(socket, record, drain_s=1.0)

    assert len(socket.sent) == 1
    assert not record.started
    assert record.received[0].message == REFUSED


async def test_a_session_that_does_not_end_is_given_up(record: Record) -> None:
    """After the time to drain."""
    with pytest.raises(TimeoutError):
        await converse(Socket(STARTED, None), record, drain_s=0.01)

    assert not record.completed
