"""HTTP in other services' ways, without a session: behind the same gate as handshakes, answered in their form."""

import re
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from django.conf import settings

from transcription.core.dialects import openai_rest
from transcription.core.dialects.dialect import Refused
from transcription.core.dialects.recordings import Answer, as_answer
from transcription.ingress.auth import Application, Gate, Receive, Scope, Send

RETRY_MS = 2_000
"""What a client is told to wait while keys cannot be read."""

Respond = Callable[[str, str], Answer]
"""From what a path names and an id for the request; may raise `Refused`."""


def models(name: str, request_id: str) -> Answer:
    """The one that is served, as OpenAI lists models."""
    return openai_rest.models(settings.STT.whisper_model, request_id, name)


class Answers:
    """ASGI middleware: some requests are answered here, all others by the application behind."""

    def __init__(self, application: Application, paths: Sequence[tuple[str, str, Respond]]) -> None:
        """`paths`: a method, what a path ends with, and who answers; a group in it is what the path names."""
        self._application = application
        self._paths = [(method, re.compile(path), respond) for method, path, respond in paths]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        for method, path, respond in self._paths:
            if scope["method"] == method and (found := path.search(scope["path"])):
                await self._serve(scope, send, partial(respond, found[1] or ""))
                return
        await self._application(scope, receive, send)

    async def _serve(self, scope: Scope, send: Send, respond: Callable[[str], Answer]) -> None:
        request_id = str(uuid.uuid4())

        async def deny(message: dict[str, Any]) -> None:
            if (denial := denied(message)) is not None:
                await write(send, as_answer(openai_rest.refused(request_id, *denial)))

        async def let_in(scope: Scope, receive: Receive, denying: Send) -> None:
            try:
                answer = respond(request_id)
            except Refused as refused:
                answer = as_answer(refused)
            await write(send, answer)

        await Gate(let_in)(as_handshake(scope), connecting, deny)


def as_handshake(scope: Scope) -> Scope:
    """An HTTP request, as the gate takes those who come."""
    return scope | {"type": "websocket", "subprotocols": [], "extensions": {"websocket.http.response": {}}}


async def connecting() -> dict[str, Any]:
    """The message that a handshake begins with."""
    return {"type": "websocket.connect"}


def denied(message: dict[str, Any]) -> tuple[int, str, str, int | None] | None:
    """The gate's denial, once it is whole: status, message, code, and when to try again (ms)."""
    if not message["type"].endswith(".body"):
        return None
    told = msgspec.json.decode(message["body"])
    status = int(told["status"])
    return status, told["error"], "invalid_api_key" if status == 401 else "", RETRY_MS if status == 503 else None


async def write(send: Send, answer: Answer) -> None:
    """Send it."""
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *((name.encode(), value.encode("latin1", "replace")) for name, value in answer.headers),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
