"""The web process: HTTP pages and the WebSocket."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from transcription.ingress import vad  # noqa: E402
from transcription.ingress.prefix import Prefixed  # noqa: E402
from transcription.routing import websocket_urlpatterns, with_other_services  # noqa: E402 - needs the app registry

for rate in vad.RATES:
    vad.model(rate)  # before the first client waits for it

application = Prefixed(
    ProtocolTypeRouter(
        {"http": with_other_services(django_application), "websocket": URLRouter(websocket_urlpatterns)}
    ),
    settings.STT.path_prefix,
)
