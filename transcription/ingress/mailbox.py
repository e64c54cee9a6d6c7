"""What others tell one connection: over the channel layer, by a name of its own and to its groups; from this process.

The layer is Redis. While that is away nobody new is served; who is being served goes on, and leaves all the same.
"""

import asyncio
import contextlib
from typing import Any

import redis
from channels.layers import BaseChannelLayer

Message = dict[str, Any]
AWAY = (redis.RedisError, OSError)
"""What the layer raises while Redis cannot be reached."""


class QueueAwayError(Exception):
    """Redis cannot be reached: nobody can be served who is not served already."""


class Mailbox:
    """One connection's, with the groups that it is in."""

    def __init__(self, layer: BaseChannelLayer) -> None:
        self._layer = layer
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._name = ""
        self._groups: tuple[str, ...] = ()

    async def open(self) -> None:
        """Take a name. Raises `QueueAwayError`."""
        try:
            self._name = str(await self._layer.new_channel())
        except AWAY as error:
            raise QueueAwayError(str(error)) from error

    async def fill(self) -> None:
        """Take what the layer has, until cancelled.

        It does nothing else: the layer forgets a name when its reader is cancelled while it waits there, and only then.
        """
        while True:
            self.put(await self._layer.receive(self._name))

    def put(self, message: Message) -> None:
        """Add what comes from this process."""
        self._messages.put_nowait(message)

    async def receive(self) -> Message:
        """The next message, once there is one."""
        return await self._messages.get()

    async def join(self, *groups: str) -> None:
        """Hear of groups. Raises one of `AWAY`, and is in some of them perhaps."""
        self._groups = groups
        for group in groups:
            await self._layer.group_add(group, self._name)

    async def leave(self) -> None:
        """Hear no more of them."""
        for group in self._groups:
            with contextlib.suppress(*AWAY):
                await self._layer.group_discard(group, self._name)

    async def tell(self, group: str, message: Any) -> None:
        """Send to a group. Raises one of `AWAY`."""
        await self._layer.group_send(group, message)

    async def answer(self, name: str, message: Any) -> None:
        """Send to whoever asked; who cannot be reached will ask again."""
        with contextlib.suppress(*AWAY):
            await self._layer.send(name, message)
