"""The examples of docs/twilio.md, docs/asterisk.md, docs/jambonz.md and docs/calls.md are what the service takes."""

import configparser
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import msgspec
import pytest
from channels.routing import URLRouter
from django.urls import resolve

from transcription.core import protocol
from transcription.core.dialects import asterisk, calls, jambonz
from transcription.core.dialects.asterisk import AsteriskChannel
from transcription.core.dialects.dialect import Notice
from transcription.core.dialects.jambonz import JambonzRecognizer
from transcription.core.dialects.twilio import KEY, TwilioMedia
from transcription.core.protocol import SessionStarted, StartSession
from transcription.routing import websocket_urlpatterns

DOCS = Path(__file__).parents[2] / "docs"
TWILIO, ASTERISK, JAMBONZ, CALLS = (
    (DOCS / f"{name}.md").read_text() for name in ("twilio", "asterisk", "jambonz", "calls")
)
TWIML = re.findall(r"^```xml\n(.*?)```$", TWILIO, re.MULTILINE | re.DOTALL)
INI = re.findall(r"^```ini\n(.*?)```$", ASTERISK, re.MULTILINE | re.DOTALL)
DIALLED = re.findall(r"WebSocket/whisper-stt/c\((\w+)\)v\(((?:[^()]|\$\{\w+\})*)\)", ASTERISK)
STREAM_STARTED, SESSION_STARTED, DTMF, STREAM_ENDED = (
    json.loads(line) for line in re.findall(r"^\{.*\}$", CALLS, re.MULTILINE)
)


def is_served(address: str) -> bool:
    """Whether a WebSocket may be opened there."""
    path = urlsplit(address).path.lstrip("/")
    return any(route.pattern.match(path) for route in websocket_urlpatterns[:-1])


@pytest.mark.parametrize("twiml", TWIML, ids=range(len(TWIML)))
def test_twiml_starts_what_it_says(twiml: str) -> None:
    """As far as Twilio's part can be played here: each stream's parameters are taken, at an address that is served."""
    streams = [*ET.fromstring(twiml.encode()).iter("Stream")]
    assert streams
    for stream in streams:
        given = {parameter.attrib["name"]: parameter.attrib["value"] for parameter in stream.iter("Parameter")}
        track = stream.attrib.get("track", "inbound_track").removesuffix("_track")
        start = {"callSid": "CA1", "streamSid": "MZ1", "tracks": [track], "customParameters": given}
        began, starts = TwilioMedia("", "id").hear(json.dumps({"event": "start", "start": start}))

        assert is_served(stream.attrib["url"])
        assert isinstance(began, Notice)
        assert json.loads(began.text)["track"] == track
        assert given[KEY].startswith("stt_")
        assert isinstance(starts, StartSession)


def test_the_client_of_asterisk_s_configuration_is_served() -> None:
    """The dial plan names it."""
    parser = configparser.ConfigParser()
    parser.read_string(INI[0])
    client = parser["whisper-stt"]

    assert (client["type"], client["connection_type"]) == ("websocket_client", "per_call_config")
    assert is_served(client["uri"])
    assert client["password"].startswith("stt_")


@pytest.mark.parametrize(("codec", "parameters"), DIALLED)
def test_a_dial_string_starts_what_it_says(codec: str, parameters: str) -> None:
    given = dict(parse_qsl(parameters.replace("${UNIQUEID}", "1699.42").replace(",", "&")))
    query = "&".join(f"{name}={value}" for name, value in given.items())
    began, starts = AsteriskChannel(query, "id").hear(f"MEDIA_START channel:WebSocket/whisper-stt/0x1 format:{codec}")

    assert isinstance(began, Notice)
    assert began.call == given["call"]
    assert isinstance(starts, StartSession)


def test_there_are_dial_strings() -> None:
    assert len(DIALLED) == 2
    assert set(re.findall(r"`(slin\d*|.law)`", ASTERISK)) == set(asterisk.FORMATS)


def test_the_recognizer_of_jambonz_starts_a_session() -> None:
    """With the options that its application asks for."""
    (gather,) = json.loads(re.findall(r"^```json\n(\[.*?)```$", JAMBONZ, re.MULTILINE | re.DOTALL)[0])
    recognizer = gather["recognizer"]
    options = recognizer["customOptions"]["options"]
    start = {"type": "start", "language": recognizer["language"], "sampleRateHz": 8000, "options": options}
    (starts,) = JambonzRecognizer("", "id").hear(json.dumps(start))

    assert isinstance(starts, StartSession)
    assert {name: getattr(starts.config, name) for name in options} == options


def test_a_transcription_of_jambonz_is_one() -> None:
    (shown,) = (json.loads(line) for line in re.findall(r"^\{.*\}$", JAMBONZ, re.MULTILINE))
    dialect = JambonzRecognizer("", "id")
    dialect.hear(json.dumps({"type": "start", "language": "pt-BR"}))
    timing = protocol.Timing(preprocess_ms=0, queue_wait_ms=0, inference_ms=0, postprocess_ms=0, server_total_ms=0)
    final = protocol.FinalTranscript(
        session_id="s", segment_id="seg-0001", text=shown["alternatives"][0]["transcript"], confidence=0.93, words=[],
        audio_duration_ms=1, audio_start_ms=0, timing=timing,
    )  # fmt: skip
    (reply,) = dialect.tell(final)

    assert json.loads(reply.text) == shown


def test_a_call_s_messages_are_those_of_the_page() -> None:
    """In its order, with its fields."""
    dialect = TwilioMedia("", "id")
    start = {
        "callSid": "CA0123",
        "streamSid": "MZ4567",
        "tracks": ["inbound"],
        "customParameters": {"language": "pt-BR"},
    }
    began, _ = dialect.hear(json.dumps({"event": "start", "start": start}))
    (started,) = dialect.tell(msgspec.convert(SESSION_STARTED, SessionStarted))
    (key,) = dialect.hear('{"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}')
    ended = protocol.SessionEnded(
        session_id="CA0123/MZ4567", reason=protocol.EndReason.COMPLETED, total_audio_ms=0, total_segments=0
    )
    told = [began, started, key, dialect.tell(ended)[-1]]

    assert [json.loads(notice.text) for notice in told] == [STREAM_STARTED, SESSION_STARTED, DTMF, STREAM_ENDED]


@pytest.mark.parametrize("page", [TWILIO, ASTERISK, JAMBONZ])
def test_every_option_is_on_each_page(page: str) -> None:
    """jambonz asks for partials itself."""
    missing = {option for option in calls.OPTIONS if f"`{option}`" not in page}

    assert missing == ({"partial_results"} if page is JAMBONZ else set())


def test_the_addresses_are_there() -> None:
    """By WebSocket; by HTTP it is said what is expected."""
    assert URLRouter(websocket_urlpatterns)
    for path in ("/v1/twilio", "/v1/asterisk", "/v1/jambonz", "/v1/calls/CA1"):
        assert is_served(path)
        assert resolve(path)
    assert set(jambonz.ENCODINGS) == set(re.findall(r"`(LINEAR16|MULAW|ALAW)`", JAMBONZ))
