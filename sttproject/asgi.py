"""The web process: HTTP pages and the WebSocket."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from sttproject import daphne_guard  # noqa: E402
from transcription import vad  # noqa: E402
from transcription.routing import websocket_urlpatterns  # noqa: E402 - needs the app registry

daphne_guard.install()
vad.model()  # before the first client waits for it

application = ProtocolTypeRouter({"http": django_application, "websocket": URLRouter(websocket_urlpatterns)})
