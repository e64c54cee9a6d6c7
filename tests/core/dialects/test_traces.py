"""What always holds of a dialect's messages, whatever a session goes through."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings

from tests.core.dialects.client import HEARD, LAST, Client, scripts
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.dialects.realtime import OpenAIRealtime

LISTEN = "interim_results=true&vad_events=true&utterance_end_ms=1000"
EAGER = "eager_eot_threshold=0.4"
SERVER_VAD = '{"type": "server_vad"}'
TRANSCRIPTION = "conversation.item.input_audio_transcription."
APPEND, COMMIT = "input_audio_buffer.append", '{"type": "input_audio_buffer.commit"}'
FINALIZE, FORCE, CLOSE = (f'{{"type": "{kind}"}}' for kind in ("Finalize", "ForceEndTurn", "CloseStream"))


CONFIGURE = '{"type": "Configure", "thresholds": {"eot_timeout_ms": 4000}}'
BAD_CONFIGURE = '{"type": "Configure", "keyterms": ["Sicoob"]}'
CLEAR, UPDATE = (
    '{"type": "input_audio_buffer.clear"}',
    '{"type": "session.update", "session": {"type": "transcription"}}',
)
KEEP_ALIVE, NONSENSE = '{"type": "KeepAlive"}', '{"type": "Dance"}'
SENTENCE = "um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze".split()


def as_append(pcm: bytes) -> str:
    return json.dumps({"type": APPEND, "audio": b64encode(pcm).decode()})


@given(script=scripts(KEEP_ALIVE, NONSENSE, BAD_CONFIGURE))
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
                else:
                    assert alternative["transcript"]
                    assert not message["speech_final"] and not message["from_finalize"]
            case "UtteranceEnd":
                assert owed, "at most one a gap, and only after a word"
                owed = False
    assert sum(message.get("from_finalize", False) for message in client.told) == client.finalized
    assert client.told[-1]["type"] == "Metadata"
    assert [message["type"] for message in client.told].count("Metadata") == 1
    assert covered <= client.told[-1]["duration"] + 0.002


@given(script=scripts(NONSENSE, CONFIGURE, BAD_CONFIGURE))
def test_flux(script: list[tuple[str, Any]]) -> None:
    """Its state machine; what a turn's end says is what its eager end said, unless it was resumed."""
    client = Client(DeepgramFlux(EAGER, "id"), FORCE, CLOSE)
    client.play(script)
    open_turn, eager, turns = False, None, 0

    assert [message["sequence_id"] for message in client.told] == list(range(len(client.told)))
    assert client.told[0]["type"] == "Connected"
    for message in (message for message in client.told if message["type"] == "TurnInfo"):
        event, text = message["event"], message["transcript"]
        assert message["turn_index"] == turns
        assert message["audio_window_start"] <= message["audio_window_end"]
        assert all("confidence" in word for word in message["words"])
        assert text == " ".join(word["word"] for word in message["words"])
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
    answers = [message["type"] for message in client.told if message["type"].startswith("Configure")]
    asked = [frame for what, frame in script if what == "say" and frame != NONSENSE]
    assert answers == ["ConfigureSuccess" if frame == CONFIGURE else "ConfigureFailure" for frame in asked]


@given(script=scripts())
def test_flux_without_a_threshold_has_no_eager_ends(script: list[tuple[str, Any]]) -> None:
    """Nor what takes them back."""
    client = Client(DeepgramFlux("", "id"), FORCE, CLOSE)
    client.play(script)

    assert {message.get("event") for message in client.told} & {"EagerEndOfTurn", "TurnResumed"} == set()


class Growing(Client):
    """A worker that takes nothing back: the longer it listens, the more of a sentence it hears."""

    def text_of(self, asked: str) -> str:
        return " ".join(SENTENCE[: self.spoke // 12])


def realtime(detection: str, kind: type[Client] = Client) -> Client:
    client = kind(OpenAIRealtime("intent=transcription", "id"), COMMIT, COMMIT, encode=as_append)
    client.say(
        '{"type": "session.update", "session": {"type": "transcription", "audio": {"input": '
        f'{{"format": {{"type": "audio/pcm", "rate": 16000}}, "turn_detection": {detection}}}}}}}}}'
    )
    return client


@pytest.mark.parametrize("detection", [SERVER_VAD, "null"])
@given(script=scripts(CLEAR, NONSENSE))
def test_realtime(detection: str, script: list[tuple[str, Any]]) -> None:
    """Every item is committed once, then completed or failed once; its deltas only append.

    They are the transcript, or no beginning of it: where the final says something else than what was stable.
    """
    client = realtime(detection)
    client.play(script)
    committed: list[str] = []
    told: dict[str, str] = {}
    over: list[str] = []

    assert [event["type"] for event in client.told[:2]] == ["session.created", "session.updated"]
    for event in client.told:
        item = event.get("item_id", "")
        match event["type"].removeprefix(TRANSCRIPTION):
            case "input_audio_buffer.committed":
                assert event["previous_item_id"] == (committed[-1] if committed else None)
                committed.append(item)
            case "delta":
                assert item not in over
                assert event["delta"]
                told[item] = told.get(item, "") + event["delta"]
                if detection != "null":  # else an item may be several segments
                    assert any(text.startswith(told[item]) for text in (*HEARD, LAST))
            case "completed":
                assert item in committed
                said = told.get(item, "")
                assert event["transcript"] == said or not event["transcript"].startswith(said)
                over.append(item)
            case "failed":
                assert item in committed
                over.append(item)
            case "error":
                assert event["error"]["code"] in ("input_audio_buffer_commit_empty", "invalid_request")
    assert len(set(committed)) == len(committed)
    assert len(set(over)) == len(over)
    assert sorted(over) == sorted(committed)
    ids = [event["event_id"] for event in client.told]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("detection", [SERVER_VAD, "null"])
@settings(max_examples=50)
@given(script=scripts())
def test_realtime_s_deltas_are_the_transcript_of_a_worker_that_takes_nothing_back(
    detection: str, script: list[tuple[str, Any]]
) -> None:
    """All of it."""
    client = realtime(detection, Growing)
    client.play(script)

    for completed in (event for event in client.told if event["type"] == f"{TRANSCRIPTION}completed"):
        item = completed["item_id"]
        deltas = [event["delta"] for event in client.told if "delta" in event and event["item_id"] == item]
        assert "".join(deltas) == completed["transcript"]
