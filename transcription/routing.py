"""Routes of WebSockets, and of other services' HTTP; Django's are in `sttproject/urls.py`."""

from http import HTTPStatus
from typing import Any

from channels.auth import AuthMiddlewareStack
from django.urls import re_path

from transcription.audit.live import LiveConsumer
from transcription.core.dialects import twilio
from transcription.core.dialects.asterisk import AsteriskChannel
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.deepgram_files import DeepgramRecording
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.dialects.jambonz import JambonzRecognizer
from transcription.core.dialects.openai_rest import OpenAITranscription, OpenAITranslation
from transcription.core.dialects.realtime import OpenAIRealtime
from transcription.ingress.answers import Answers, models
from transcription.ingress.auth import Application, Gate, Receive, Scope, Send, refuse
from transcription.ingress.calls import listen
from transcription.ingress.consumers import TranscriptionConsumer
from transcription.ingress.keys_within import KeysWithin
from transcription.ingress.translating import Translated
from transcription.ingress.uploads import MakeRecording, Uploads

CONSUMER = TranscriptionConsumer.as_asgi()
DIALECTS = [
    (r"^v1/listen/?$", "deepgram", DeepgramLive),
    (r"^v2/listen/?$", "deepgram_flux", DeepgramFlux),
    (r"^v1/realtime/?$", "openai_realtime", OpenAIRealtime),
    (r"^v1/jambonz/?$", "jambonz", JambonzRecognizer),
    (r"^v1/asterisk/?$", "asterisk", AsteriskChannel),
]
TWILIO = Gate(Translated(CONSUMER, "twilio", twilio.TwilioMedia))
RECORDINGS: list[tuple[str, str, MakeRecording]] = [
    (r"/v1/audio/transcriptions/?$", "openai_files", OpenAITranscription),
    (r"/v1/audio/translations/?$", "openai_files", OpenAITranslation),
    (r"/v1/listen/?$", "deepgram_files", DeepgramRecording),
]
NO_SOCKET = "No WebSocket is at this path: expected /ws/stt, or that of another service's protocol (docs/dialects.md)"
ANSWERS = [
    ("GET", r"/v1/models(?:/([^/]+))?/?$", models),
]


def with_other_services(django: Any) -> Application:
    """What other services' clients ask for by HTTP, before Django: bodies are read as they come in."""
    return Answers(Uploads(django, RECORDINGS), ANSWERS)


async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a handshake at any other path with 403, where Channels would log a traceback."""
    await receive()  # websocket.connect
    await refuse(scope, send, HTTPStatus.FORBIDDEN, {"status": HTTPStatus.FORBIDDEN, "error": NO_SOCKET}, ())


websocket_urlpatterns = [
    re_path(r"^ws/stt/?$", Gate(CONSUMER)),  # type: ignore[arg-type]  # an ASGI application
    *(
        re_path(path, Gate(Translated(CONSUMER, name, dialect)))  # type: ignore[arg-type]
        for path, name, dialect in DIALECTS
    ),
    re_path(r"^v1/twilio/?$", KeysWithin(TWILIO, twilio.take_key, "the stream's parameter api_key")),  # type: ignore[arg-type]
    re_path(r"^v1/calls/(?P<call>[!-~]{1,80})$", Gate(listen)),  # type: ignore[arg-type]
    re_path(r"^ws/admin/live$", AuthMiddlewareStack(LiveConsumer.as_asgi())),
    re_path(r"", unknown_path),  # type: ignore[arg-type]
]
