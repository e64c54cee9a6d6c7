"""What always holds of a dialect's messages, whatever a session goes through."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.dialects.client import HEARD, LAST, Client, scripts
from transcription.core.dialects.asterisk import AsteriskChannel
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.dialects.jambonz import JambonzRecognizer
from transcription.core.dialects.realtime import OpenAIRealtime
from transcription.core.dialects.twilio import TwilioMedia

LISTEN = "encoding=linear16&interim_results=true&vad_events=true&utterance_end_ms=1000"
EAGER = "eager_eot_threshold=0.4"
SERVER_VAD = '{"type": "server_vad"}'
TRANSCRIPTION = "conversation.item.input_audio_transcription."
APPEND, COMMIT = "input_audio_buffer.append", '{"type": "input_audio_buffer.commit"}'
FINALIZE, FORCE, CLOSE = (f'{{"type": "{kind}"}}' for kind in ("Finalize", "ForceEndTurn", "CloseStream"))


CONFIGURE = '{"type": "Configure", "thresholds": {"eot_timeout_ms": 4000}}'
BAD_CONFIGURE = '{"type": "Configure", "keyterms": ["120"]}'
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
    client = Client(DeepgramFlux(f"encoding=linear16&{EAGER}", "id"), FORCE, CLOSE)
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
    client = Client(DeepgramFlux("encoding=linear16", "id"), FORCE, CLOSE)
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


@given(script=scripts())
def test_jambonz(script: list[tuple[str, Any]]) -> None:
    """It is told what its switch takes and nothing else: transcripts that are not empty, and errors."""
    client = Client(JambonzRecognizer("", "id"), "{}", '{"type": "stop"}')
    client.say('{"type": "start", "encoding": "LINEAR16", "sampleRateHz": 16000, "interimResults": true}')
    client.play(script)

    for message in client.told:
        match message:
            case {"type": "transcription", "alternatives": [{"transcript": transcript}], "is_final": bool()}:
                assert transcript in (*HEARD, LAST)
            case {"type": "error", "error": str()}:
                pass
            case _:
                pytest.fail(f"jambonz would throw this away: {message}")


def _well_told(client: Client, session_id: str) -> list[dict[str, Any]]:
    """What the listeners of a call were told, once it has been seen to be whole."""
    types = [message["type"] for message in client.told]
    assert types[:2] == ["stream_started", "session_started"]
    assert types[-2:] == ["session_ended", "stream_ended"]
    assert len({*types[:2], *types[-2:]}) == 4
    assert all(types.count(kind) == 1 for kind in (*types[:2], *types[-2:]))
    assert {message["session_id"] for message in client.told} == {session_id}
    opened = [message["segment_id"] for message in client.told if message.get("state") == "speech_start"]
    answered = [
        message["segment_id"]
        for message in client.told
        if message["type"] == "final_transcript" or (message["type"] == "error" and message.get("segment_id"))
    ]
    assert {*opened} <= {*answered}, "those that were cut for their length have no start of their own"
    assert len(answered) == len({*answered})
    return client.told


@given(script=scripts())
def test_asterisk(script: list[tuple[str, Any]]) -> None:
    """Listeners hear the session from its start to its end, each utterance once."""
    client = Client(AsteriskChannel("", "id"), "MEDIA_XON", "QUEUE_DRAINED")
    client.say("MEDIA_START connection_id:stt channel:WebSocket/stt/0x1 channel_id:1.2 format:slin16")
    client.play([*script, ("hang up", None)])
    _well_told(client, "1.2/id")


class Chunks:
    """Twilio's messages of a window each, some of which are lost on their way."""

    def __init__(self, lost: set[int]) -> None:
        self.number = self.last = 0
        self._lost = lost

    def __call__(self, pcm: bytes) -> str:
        self.number += 1
        if self.number in self._lost:
            return '{"event": "lost"}'
        self.last = self.number
        told = {"track": "inbound", "chunk": str(self.number), "timestamp": str(32 * (self.number - 1))}
        return json.dumps({"event": "media", "media": told | {"payload": b64encode(b"\x20" * 256).decode()}})


@given(script=scripts(), lost=st.sets(st.integers(2, 120), max_size=40))
def test_twilio(script: list[tuple[str, Any]], lost: set[int]) -> None:
    """So they do, and whatever is lost the audio is as long as the time that it took."""
    chunks = Chunks(lost)
    client = Client(TwilioMedia("", "id"), '{"event": "connected"}', '{"event": "stop"}', encode=chunks)
    client.say('{"event": "start", "start": {"callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"]}}')
    client.play(script)
    told = _well_told(client, "CA1/MZ1")

    assert told[-2]["total_audio_ms"] == 32 * chunks.last
    assert all(message["t_ms"] <= 32 * chunks.last for message in told if message["type"] == "vad_event")


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
