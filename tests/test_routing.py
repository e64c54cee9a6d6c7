"""Which application a socket's path leads to."""

from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from transcription.routing import websocket_urlpatterns

REJECTING: dict[str, Any] = {"websocket.http.response": {}}


@pytest.fixture(autouse=True)
def guarded(settings: Settings) -> None:
    """Without a key nobody gets past the door, which says so."""
    settings.STT = django_settings.STT.model_copy(update={"auth": "required"})


def knock(path: str) -> WebsocketCommunicator:
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)
    communicator.scope["extensions"] = REJECTING
    return communicator


@pytest.mark.parametrize(
    "path", ["/ws/stt", "/ws/stt/", "/v1/listen", "/v1/listen/", "/v2/listen?model=flux", "/v1/realtime?intent=x"]
)
async def test_every_way_to_the_consumer_leads_through_the_door(path: str) -> None:
    socket = knock(path)
    await socket.send_input({"type": "websocket.connect"})
    start = await socket.receive_output()

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)


@pytest.mark.parametrize(
    "path", ["/", "/ws/stt/x", "/ws/sttx", "/v3/listen", "/xv1/listen", "/ws/admin/live/", "/metrics"]
)
async def test_any_other_path_is_refused_with_what_is_expected(path: str) -> None:
    """Without a traceback, which is what Channels makes of it; nobody asks Redis for a channel, which may be away."""
    socket = knock(path)
    await socket.send_input({"type": "websocket.connect"})
    start, body = await socket.receive_output(), await socket.receive_output()

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert b"expected /ws/stt" in body["body"]


@pytest.mark.django_db
async def test_the_live_page_s_socket_wants_a_login_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its door is Django's session."""
    monkeypatch.setattr("channels.consumer.get_channel_layer", lambda alias: InMemoryChannelLayer())
    socket = knock("/ws/admin/live")

    assert await socket.connect() == (True, None)
    assert (await socket.receive_output())["code"] == 4401
