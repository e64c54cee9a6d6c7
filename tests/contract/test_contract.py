"""Golden messages (`client.jsonl`, `server.jsonl`), read and written by the service and by each of its clients.

A change of the protocol changes a golden message first; a message once here stays valid.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import whisper_stt.messages
from livekit.agents import LanguageCode
from livekit.agents.stt import SpeechEventType

from clients.livekit_plugin._events import Events
from clients.livekit_plugin._wire import STATUS
from transcription.core import protocol

HERE = Path(__file__).parent


def golden(side: str) -> list[Any]:
    lines = (HERE / f"{side}.jsonl").read_text().splitlines()
    return [pytest.param(line, id=f"{n}-{json.loads(line)['type']}") for n, line in enumerate(lines, 1)]


def server_messages() -> list[dict[str, Any]]:
    return [json.loads(line.values[0]) for line in golden("server")]


@pytest.mark.parametrize("text", golden("client"))
def test_service_reads(text: str) -> None:
    """Every field arrives."""
    message, sent = protocol.decode(text), json.loads(text)

    read = msgspec.to_builtins(message)
    assert read["type"] == sent["type"]
    assert read | sent == read


@pytest.mark.parametrize("text", golden("server"))
def test_service_writes(text: str) -> None:
    """The same fields and values, no others."""
    message = msgspec.json.decode(text, type=protocol.ServerMessage)

    assert json.loads(protocol.encode(message)) == json.loads(text)


@pytest.mark.parametrize("text", golden("client"))
def test_python_client_writes(text: str) -> None:
    """As the service reads it."""
    fields = json.loads(text)

    assert json.loads(whisper_stt.messages.encode(fields.pop("type"), **fields)) == json.loads(text)


@pytest.mark.parametrize("text", golden("server"))
def test_python_client_reads(text: str) -> None:
    """Every field that it knows has the value that was sent; it knows all but `is_final`, which the type says."""
    message, sent = whisper_stt.messages.decode(text), json.loads(text)

    read = msgspec.to_builtins(message)
    assert {name for name in sent if name not in read} <= {"is_final"}
    assert {name: read[name] for name in sent if name in read} == {name: sent[name] for name in sent if name in read}


@pytest.mark.parametrize("text", golden("server"))
def test_plugin_reads(text: str) -> None:
    """As LiveKit's events, or as an error with a status."""
    message = json.loads(text)
    events = Events(LanguageCode("pt"))
    events.begin("call-4711", 0.0)
    events.speaking = message["type"] == "partial_transcript"
    match message:
        case {"type": "error", "segment_id": _} | {"type": "session_started" | "session_ended" | "status"}:
            assert events.of(message) == []
        case {"type": "error", "code": code}:
            assert code in STATUS or code == "INTERNAL_ERROR"
        case {"type": "vad_event", "state": "speech_start"}:
            assert [event.type for event in events.of(message)] == [SpeechEventType.START_OF_SPEECH]
        case {"type": "vad_event"}:
            assert events.of(message) == []
        case {"type": "partial_transcript", "speculative": ahead}:
            (event,) = events.of(message)
            assert (event.type is SpeechEventType.PREFLIGHT_TRANSCRIPT) == ahead
            assert event.alternatives[0].text == message["text"]
        case {"type": "final_transcript"}:
            final = events.of(message)[0]
            assert final.type is SpeechEventType.FINAL_TRANSCRIPT
            assert final.alternatives[0].text == message["text"]
            assert len(final.alternatives[0].words or []) == len(message["words"])
        case _:
            raise AssertionError(message["type"])


def test_every_message_has_a_golden_one() -> None:
    """Of both sides, with every error code and both states of speech; every field appears somewhere."""
    client = [json.loads(line.values[0]) for line in golden("client")]
    server = server_messages()
    structs = (*protocol.ClientMessage.__args__, *protocol.ServerMessage.__args__)
    for struct in structs:
        kind = struct.__struct_config__.tag
        seen = {name for message in client + server if message["type"] == kind for name in message}
        assert seen == {"type", *(field.encode_name for field in msgspec.structs.fields(struct))}, kind
    assert {message["code"] for message in server if message["type"] == "error"} == set(protocol.ErrorCode)
