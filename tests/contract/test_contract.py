"""Golden messages (`client.jsonl`, `server.jsonl`), read and written by the service and by each of its clients.

A change of the protocol changes a golden message first; a message once here stays valid.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import whisper_stt.session.messages as client
from livekit.agents import LanguageCode
from livekit.agents.stt import SpeechEventType

from clients.livekit_plugin import _session as plugin_session
from clients.livekit_plugin._events import Events
from clients.livekit_plugin._session import messages
from clients.livekit_plugin._session.errors import STATUS
from transcription.core import protocol
from transcription.core.encodings import Encoding

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
    if "config" in sent:
        read["config"] = {
            name: value for name, value in read["config"].items() if value is not None or name in sent["config"]
        }
    assert read["type"] == sent["type"]
    assert read | sent == read


@pytest.mark.parametrize("encoding", list(Encoding))
def test_service_reads_an_encoding_as_the_client_writes_it(encoding: Encoding) -> None:
    """It knows as many bytes a sample; one without is written as ever."""
    asked = client.Config(
        sample_rate=8000, vad_enabled=True, partial_results=True, word_timestamps=True, encoding=encoding.value
    )
    read = protocol.decode(client.encode(client.StartSession(config=asked)))

    assert isinstance(read, protocol.StartSession)
    assert read.config.encoding == encoding
    assert asked.frame_bytes == encoding.sample_bytes


@pytest.mark.parametrize("text", golden("server"))
def test_service_writes(text: str) -> None:
    """The same fields and values, no others."""
    message = msgspec.json.decode(text, type=protocol.ServerMessage)

    assert json.loads(protocol.encode(message)) == json.loads(text)


@pytest.mark.parametrize("text", golden("client"))
def test_clients_write(text: str) -> None:
    """As the service reads it: no field lost, none added."""
    message = msgspec.json.decode(text, type=client.ClientMessage)

    assert json.loads(client.encode(message)) == json.loads(text)


@pytest.mark.parametrize("text", golden("server"))
def test_clients_read(text: str) -> None:
    """Every field that they know has the value that was sent; they know all but `is_final`, which the type says."""
    message, sent = client.decode(text), json.loads(text)

    read = msgspec.to_builtins(message)
    assert {name for name in sent if name not in read} <= {"is_final"}
    assert {name: read[name] for name in sent if name in read} == {name: sent[name] for name in sent if name in read}


def test_the_plugin_has_the_library_s_session() -> None:
    """Not a copy of it that may drift."""
    assert Path(plugin_session.__file__).resolve() == Path(client.__file__).resolve().with_name("__init__.py")


def test_clients_know_what_each_error_code_means() -> None:
    """All but that of a segment, which is no refusal; and none that the service does not say."""
    assert STATUS.keys() == set(protocol.ErrorCode) - {"INFERENCE_ERROR"}


@pytest.mark.parametrize("text", golden("server"))
def test_plugin_tells(text: str) -> None:
    """As LiveKit's events."""
    message = messages.decode(text)
    events = Events(LanguageCode("pt"))
    events.begin("call-4711")
    events.speaking = isinstance(message, messages.PartialTranscript)
    match message:
        case messages.VadEvent(state="speech_start"):
            assert [event.type for event in events.of(message)] == [SpeechEventType.START_OF_SPEECH]
        case messages.VadEvent():
            assert events.of(message) == []
        case messages.PartialTranscript(speculative=ahead):
            (event,) = events.of(message)
            assert (event.type is SpeechEventType.PREFLIGHT_TRANSCRIPT) == ahead
            assert event.alternatives[0].text == message.text
        case messages.FinalTranscript():
            final = events.of(message)[0]
            assert final.type is SpeechEventType.FINAL_TRANSCRIPT
            assert final.alternatives[0].text == message.text
            assert len(final.alternatives[0].words or []) == len(message.words)
        case messages.ServerError(segment_id=str()):
            assert events.of(message) == []
        case _:
            assert isinstance(
                message,
                messages.ServerError
                | messages.SessionStarted
                | messages.Configured
                | messages.SessionEnded
                | messages.Status,
            )


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
