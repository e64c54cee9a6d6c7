"""What a worker takes from the broker, by Celery's own transport out of a real Valkey."""

import time
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
import redis
from kombu.transport import redis as transport

from sttproject import celery
from transcription.core.contract import keyspace
from workers import intake
from workers.yielding import Yielding

LIVE, PARTIAL, RECORDED = keyspace.FINAL_PRIORITY, keyspace.PARTIAL_PRIORITY, keyspace.RECORDED_PRIORITY


class Taking:
    """A consumer that takes up to 16 messages and does nothing with them until it is told."""

    def __init__(self, connection: kombu.Connection) -> None:
        self._connection = connection
        self._channel = connection.channel()
        queue = kombu.Queue(keyspace.QUEUE)
        self._producer = connection.Producer()
        self.held: list[kombu.Message] = []
        self._consumer = kombu.Consumer(self._channel, [queue], on_message=self.held.append, accept=["json"])
        self._consumer.qos(prefetch_count=16)
        self._consumer.consume()
        queue(self._channel).declare()

    def send(self, *priorities: int) -> None:
        for priority in priorities:
            self._producer.publish({}, routing_key=keyspace.QUEUE, priority=priority, serializer="json")

    def take(self, seconds: float = 0.3) -> list[int]:
        """All that it takes now, in order."""
        before = len(self.held)
        try:
            while True:
                self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return [message.properties["priority"] for message in self.held[before:]]


@pytest.fixture
def yielding() -> Yielding:
    return Yielding(lanes=1, max_batch=1)


@pytest.fixture
def taking(
    valkey: redis.Redis, valkey_url: str, yielding: Yielding, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Taking]:
    monkeypatch.setattr(transport.Channel, "_brpop_start", transport.Channel._brpop_start)
    intake.install(yielding, most=2)
    options: dict[str, Any] = celery.app.conf.broker_transport_options
    with kombu.Connection(valkey_url, transport_options=options) as connection:
        yield Taking(connection)


def test_recordings_do_not_fill_the_task_threads(taking: Taking) -> None:
    """Two are in hand, as many as may be; people's jobs are taken all the same, and the next one when one is done."""
    taking.send(*[RECORDED] * 5)
    assert taking.take() == [RECORDED] * 2

    taking.send(PARTIAL, LIVE, PARTIAL)
    assert sorted(taking.take()) == [LIVE, PARTIAL, PARTIAL]

    next(message for message in taking.held if message.properties["priority"] == RECORDED).ack()
    assert taking.take() == [RECORDED]


@pytest.mark.parametrize(
    ("since_s", "order"), [(0.0, [LIVE, PARTIAL, PARTIAL, RECORDED]), (3600.0, [LIVE, RECORDED, PARTIAL, PARTIAL])]
)
def test_people_come_first(taking: Taking, yielding: Yielding, since_s: float, order: list[int]) -> None:
    """Finals, partials, recordings; where one of these is due, it comes before partials."""
    yielding.recorded(time.perf_counter() + 60.0 - since_s)
    taking.send(PARTIAL, RECORDED, PARTIAL, LIVE)

    assert taking.take() == order


@pytest.mark.parametrize(
    ("held", "due", "order"),
    [
        (0, False, [0, 3, 6, 9]),
        (0, True, [0, 3, 9, 6]),
        (1, True, [0, 3, 6, 9]),  # the one in hand has the turn
        (2, True, [0, 3, 6]),
        (2, False, [0, 3, 6]),
    ],
)
def test_the_order_of_lists(held: int, due: bool, order: list[int]) -> None:
    assert intake.steps(held, 2, due=due) == order
