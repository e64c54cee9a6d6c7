"""What a client says of a session to find it by: bounds, and what each dialect makes of its own parameters."""

import json

import pytest

from transcription.core import protocol
from transcription.core.dialects import asterisk, calls, deepgram, deepgram_files, flux, twilio
from transcription.core.dialects.recordings import Asked
from transcription.core.metadata import MAX_EXTERNAL_ID, MAX_TAG, MAX_TAGS, Metadata
from transcription.core.protocol import ProtocolError, StartSession


def start(metadata: object) -> StartSession:
    message = protocol.decode(json.dumps({"type": "start_session", "metadata": metadata}))
    assert isinstance(message, StartSession)
    return message


def test_what_is_said_is_taken() -> None:
    """Up to the bounds; nothing of it is required."""
    whole = {"external_id": "x" * MAX_EXTERNAL_ID, "tags": ["é" * MAX_TAG] * MAX_TAGS}

    assert start(whole).metadata == Metadata(**whole)
    assert start({}).metadata == Metadata()
    assert start(None).metadata is None


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"external_id": "x" * (MAX_EXTERNAL_ID + 1)}, "metadata.external_id"),
        ({"external_id": 4711}, "metadata.external_id"),
        ({"external_id": "a\nb"}, "external_id"),
        ({"tags": ["x"] * (MAX_TAGS + 1)}, "metadata.tags"),
        ({"tags": ["x" * (MAX_TAG + 1)]}, "metadata.tags"),
        ({"tags": [""]}, "metadata.tags"),
        ({"tags": ["\u0000"]}, "tags"),
        ({"tags": "sales"}, "metadata.tags"),
        ({"campaign": "x"}, "campaign"),
        ("CRM-4711", "metadata"),
    ],
)
def test_what_is_wrong_is_named(metadata: object, field: str) -> None:
    """Length, number, type, controls, unknown fields."""
    with pytest.raises(ProtocolError, match=field):
        start(metadata)


def begun(steps: object) -> Metadata | None:
    (message,) = [step for step in steps if isinstance(step, StartSession)]
    return message.metadata


@pytest.mark.parametrize("dialect", [deepgram.DeepgramLive, flux.DeepgramFlux])
def test_deepgram_s_tags_are_the_session_s(dialect: type) -> None:
    """And `extra` may name it; what is longer than it may be is cut, as Deepgram would have taken it."""
    query = f"sample_rate=16000&tag=sales&tag=callback%0A&extra=external_id:CRM-4711&extra=other:x&tag={'y' * 99}"

    assert begun(dialect(query, "id").open()) == Metadata(
        external_id="CRM-4711", tags=["sales", "callback", "y" * MAX_TAG]
    )
    assert begun(dialect("sample_rate=16000", "id").open()) is None


def test_deepgram_s_recordings_have_tags_too() -> None:
    asked = Asked("id", "audio/wav", "pt", "tag=sales", "2026-01-01T00:00:00.000Z", False, True)

    assert begun(deepgram_files.DeepgramRecording(asked).open()) == Metadata(tags=["sales"])


def test_a_call_s_parameters_say_what_it_is_found_by() -> None:
    """Twilio's with the stream, Asterisk's with the address; one that is too long is refused by name."""
    assert calls.metadata({"external_id": "CRM-1", "tags": "a, b"}) == Metadata(external_id="CRM-1", tags=["a", "b"])
    with pytest.raises(ValueError, match="external_id"):
        calls.metadata({"external_id": "x" * 200})
    began = {"callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"], "customParameters": {"tags": "sales"}}
    began |= {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}
    switch = twilio.TwilioMedia("", "id")
    steps = switch.hear(json.dumps({"event": "start", "start": began}))
    channel = asterisk.AsteriskChannel("tags=sales&external_id=7", "id")
    heard = channel.hear("MEDIA_START connection_id:1 channel:c channel_id:1 format:slin16 optimal_frame_size:640")

    assert begun(steps) == Metadata(tags=["sales"])
    assert begun(heard) == Metadata(external_id="7", tags=["sales"])
