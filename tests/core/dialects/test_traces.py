"""What always holds of a dialect's messages, whatever a session goes through."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given

from tests.core.dialects.client import SCRIPTS, Client
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.dialects.realtime import OpenAIRealtime

LISTEN = "encoding=linear16&interim_results=true&vad_events=true&utterance_end_ms=1000"
EAGER = "eager_eot_threshold=0.4"
APPEND, COMMIT = "input_audio_buffer.append", '{"type": "input_audio_buffer.commit"}'
FINALIZE, FORCE, CLOSE = (f'{{"type": "{kind}"}}' for kind in ("Finalize", "ForceEndTurn", "CloseStream"))


def as_append(pcm: bytes) -> str:
    return json.dumps({"type": APPEND, "audio": b64encode(pcm).decode()})


@given(script=SCRIPTS)
def test_deepgram(script: list[tuple[str, Any]]) -> None:
    """Finals cover the audio in order and without a hole, interims only what is open; every Finalize is answered."""
    client = Client(DeepgramLive(LISTEN, "id"), FINALIZE, CLOSE)
    client.play(script)
    covered, owed = 0.0, False

    for message in client.told:
        match message["type"]:
            case "Results":
                assert abs(message["start"] - covered) < 0.002
                assert message["duration"] >= 0
                (alternative,) = message["channel"]["alternatives"]
                if message["is_final"]:
                    covered = message["start"] + message["duration"]
                    owed = owed or bool(alternative["transcript"])
            case "UtteranceEnd":
                assert owed, "at most one a gap, and only after a word"
                owed = False
    assert sum(message.get("from_finalize", False) for message in client.told) == client.finalized
    assert client.told[-1]["type"] == "Metadata"
    assert [message["type"] for message in client.told].count("Metadata") == 1


@given(script=SCRIPTS)
def test_flux(script: list[tuple[str, Any]]) -> None:
    """Its state machine; what a turn's end says is what its eager end said, unless it was resumed."""
    client = Client(
        DeepgramFlux("encoding=linear16&eager_eot_threshold=0.4", "id"),
        '{"type": "ForceEndTurn"}',
        '{"type": "CloseStream"}',
    )
    client.play(script)
    open_turn, eager, turns = False, None, 0

    assert [message["sequence_id"] for message in client.told] == list(range(len(client.told)))
    assert client.told[0]["type"] == "Connected"
    for message in (message for message in client.told if message["type"] == "TurnInfo"):
        event, text = message["event"], message["transcript"]
        assert message["turn_index"] == turns
        assert message["audio_window_start"] <= message["audio_window_end"]
        assert all("confidence" in word for word in message["words"])
        match event:
            case "StartOfTurn":
                assert not open_turn
                open_turn = True
            case "Update":
                assert open_turn and eager is None
            case "EagerEndOfTurn":
                assert open_turn and text and eager is None
                eager = text
            case "TurnResumed":
                assert eager is not None
                eager = None
            case "EndOfTurn":
                assert open_turn and eager in (None, text)
                assert message["trigger"] in ("model", "manual", "timeout")
                open_turn, eager, turns = False, None, turns + 1
    assert not open_turn, "every turn ends"


@given(script=SCRIPTS)
def test_flux_without_a_threshold_has_no_eager_ends(script: list[tuple[str, Any]]) -> None:
    """Nor what takes them back."""
    client = Client(DeepgramFlux("encoding=linear16", "id"), FORCE, CLOSE)
    client.play(script)

    assert {message.get("event") for message in client.told} & {"EagerEndOfTurn", "TurnResumed"} == set()


@pytest.mark.parametrize("detection", ['{"type": "server_vad"}', "null"])
@given(script=SCRIPTS)
def test_realtime(detection: str, script: list[tuple[str, Any]]) -> None:
    """Every item is committed once, then completed or failed once; its deltas only append."""
    dialect = OpenAIRealtime("intent=transcription", "id")
    client = Client(dialect, COMMIT, COMMIT, encode=as_append)
    client.hear(
        '{"type": "session.update", "session": {"type": "transcription", "audio": {"input": '
        f'{{"format": {{"type": "audio/pcm", "rate": 16000}}, "turn_detection": {detection}}}}}}}}}'
    )
    client.play(script)
    committed: list[str] = []
    told: dict[str, str] = {}
    over: list[str] = []

    assert [event["type"] for event in client.told[:2]] == ["session.created", "session.updated"]
    for event in client.told:
        item = event.get("item_id", "")
        match event["type"]:
            case "input_audio_buffer.committed":
                assert event["previous_item_id"] == (committed[-1] if committed else None)
                committed.append(item)
            case "conversation.item.input_audio_transcription.delta":
                assert item not in over
                assert event["delta"]
                told[item] = told.get(item, "") + event["delta"]
            case "conversation.item.input_audio_transcription.completed":
                assert item in committed
                over.append(item)
            case "conversation.item.input_audio_transcription.failed":
                assert item in committed
                over.append(item)
            case "error":
                assert event["error"]["code"] == "input_audio_buffer_commit_empty"
    assert len(set(committed)) == len(committed)
    assert len(set(over)) == len(over)
    if detection != "null":
        assert sorted(over) == sorted(committed)
    ids = [event["event_id"] for event in client.told]
    assert len(set(ids)) == len(ids)
