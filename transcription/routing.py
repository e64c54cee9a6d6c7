"""WebSocket routes."""

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from transcription.auth import Gate
from transcription.consumers import TranscriptionConsumer
from transcription.live import LiveConsumer


class UnknownPath(AsyncWebsocketConsumer):
    """Refuses a handshake at any other path with 403, where Channels would log a traceback."""

    async def connect(self) -> None:
        """Refuse."""
        await self.close()


websocket_urlpatterns = [
    re_path(r"^ws/stt/?$", Gate(TranscriptionConsumer.as_asgi())),
    re_path(r"^ws/admin/live$", AuthMiddlewareStack(LiveConsumer.as_asgi())),
    re_path(r"", UnknownPath.as_asgi()),
]
