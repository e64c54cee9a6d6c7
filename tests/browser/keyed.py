"""The service behind a door: sessions need $KEY, in the subprotocols a browser can send. For tests."""

import os
from typing import Any

from django.conf import settings

from sttproject.asgi import application as service

WANTED = ["whisper-stt", f"bearer.{os.environ['KEY']}"]
object.__setattr__(settings.STT, "auth", "required")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuses the handshake of a WebSocket without the key, with 403; answers the others with `whisper-stt`."""
    if scope["type"] != "websocket":
        await service(scope, receive, send)
        return
    if scope["subprotocols"] != WANTED:
        await receive()
        await send({"type": "websocket.close"})
        return

    async def greet(message: dict[str, Any]) -> None:
        accepted = message["type"] == "websocket.accept"
        await send(message | {"subprotocol": "whisper-stt"} if accepted else message)

    await service(scope, receive, greet)
