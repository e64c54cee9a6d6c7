"""Results on their way to a session that cannot be told."""

import asyncio
import threading
from typing import Any

import pytest
import redis

from transcription.core.contract.jobs import Kind, job_by_itself
from workers import publish
from workers.publish import Publisher


class Hanging:
    """A channel layer whose Redis does not answer."""

    def __init__(self) -> None:
        self.given_up = threading.Event()

    async def group_send(self, group: str, message: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()


def test_what_could_not_be_told_in_time_is_not_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session has asked after it by then; and while Redis hangs nothing piles up."""
    layer = Hanging()
    monkeypatch.setattr(publish, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(publish, "SEND_TIMEOUT_S", 0.01)
    publisher = Publisher(redis.Redis())
    with pytest.raises(TimeoutError):
        publisher.tell(job_by_itself("x", Kind.FINAL, language="pt", beam_size=1), b"")

    assert layer.given_up.wait(5)
