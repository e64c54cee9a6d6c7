"""Twilio's Media Streams, message by message."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.core.dialects.messages import ENDED, STARTED, failed, final, partial
from transcription.core import protocol
from transcription.core.dialects.dialect import Hangup, Notice, Step
from transcription.core.dialects.twilio import TwilioMedia, take_key
from transcription.core.protocol import EndSession, ErrorCode, StartConfig, StartSession

CALL, STREAM = "CA" + "1" * 32, "MZ" + "2" * 32
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


def start(tracks: list[str] | None = None, form: dict[str, Any] | None = None, **parameters: str) -> str:
    """As Twilio's documentation has it."""
    message = {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC" + "0" * 32,
            "streamSid": STREAM,
            "callSid": CALL,
            "tracks": tracks or ["inbound"],
            "mediaFormat": form or {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        },
        "streamSid": STREAM,
    }
    return json.dumps(message)


def media(number: int, audio: bytes = b"\x7f" * 160, track: str = "inbound", **fields: object) -> str:
    told: dict[str, object] = {"track": track, "chunk": str(number), "timestamp": str(20 * (number - 1))}
    told |= {"payload": b64encode(audio).decode(), **fields}
    return json.dumps({"event": "media", "sequenceNumber": str(number + 1), "media": told, "streamSid": STREAM})


STOP = json.dumps({"event": "stop", "sequenceNumber": "5", "stop": {"accountSid": "AC", "callSid": CALL}})


def opened(query: str = "", **parameters: Any) -> TwilioMedia:
    dialect = TwilioMedia(query, "id")
    assert not dialect.open()
    assert not dialect.hear(CONNECTED)
    dialect.hear(start(**parameters))
    return dialect


def told(steps: Any) -> list[dict[str, Any]]:
    """What the call's listeners hear."""
    notices = [step for step in steps if isinstance(step, Notice)]
    assert all((notice.call, notice.session_id) == (CALL, f"{CALL}/{STREAM}") for notice in notices)
    return [json.loads(notice.text) for notice in notices]


def test_a_stream_starts_a_session_that_is_named_after_the_call() -> None:
    """With the options of its parameters, which are text; the key is nobody's to see."""
    dialect = TwilioMedia("", "id")
    parameters = {"language": "pt-BR", "min_silence_ms": "400", "partial_results": "false", "redact": "cpf, card"}
    parameters |= {"keyterms": "Sicoob, Conta Fácil"}
    begins, starts = dialect.hear(start(**parameters, api_key="stt_secret", agent="ana"))

    assert starts == StartSession(
        session_id=f"{CALL}/{STREAM}",
        config=StartConfig(
            lang_code="pt", min_silence_ms=400, partial_results=False, redact=["cpf", "card"],
            keyterms=["Sicoob", "Conta Fácil"], encoding="mulaw", sample_rate=8000,
        ),
    )  # fmt: skip
    assert told([begins]) == [
        {
            "type": "stream_started", "session_id": f"{CALL}/{STREAM}", "call": CALL, "dialect": "twilio",
            "stream": STREAM, "track": "inbound", "parameters": parameters | {"agent": "ana"},
        }
    ]  # fmt: skip


def test_audio_is_what_the_chunks_say_where_they_say() -> None:
    dialect = opened()

    assert dialect.hear(media(1, b"\x01" * 160)) == [b"\x01" * 160]
    assert dialect.hear(media(3, b"\x03" * 160)) == []
    assert dialect.hear(STOP) == [b"\xff" * 160, b"\x03" * 160, EndSession()]
    assert dialect.hear(media(4)) == []


def test_a_long_payload_is_several_messages() -> None:
    assert [len(step) for step in opened().hear(media(1, bytes(70_000)))] == [32_000, 32_000, 6_000]


@pytest.mark.parametrize(
    ("tracks", "asked", "heard"),
    [
        (["inbound"], {}, "inbound"),
        (["outbound"], {}, "outbound"),
        (["inbound", "outbound"], {}, "inbound"),
        (["inbound", "outbound"], {"track": "outbound"}, "outbound"),
        (["inbound", "outbound"], {"track": "outbound_track"}, "outbound"),
    ],
)
def test_one_track_is_heard(tracks: list[str], asked: dict[str, str], heard: str) -> None:
    """The caller's, unless another is asked for or there is only the other."""
    dialect = opened(tracks=tracks, **asked)

    assert [bool(dialect.hear(media(1, track=track))) for track in ("inbound", "outbound")] == [
        track == heard for track in ("inbound", "outbound")
    ]


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (start(track="outbound"), "track"),
        (start(track="both_tracks"), "track"),
        (start(form={"encoding": "audio/ogg"}), "mediaFormat"),
        (start(form={"encoding": "audio/x-mulaw", "sampleRate": 16000}), "mediaFormat"),
        (start(form={"encoding": "audio/x-mulaw", "channels": 2}), "mediaFormat"),
        (start(min_silence_ms="soon"), "min_silence_ms"),
        (start(turn_mode="often"), "`fixed`, got 'often' - at `$.turn_mode`"),
        (start(redact="names"), "redact"),
        (start().replace(CALL, ""), "call"),
        (start().replace(CALL, "a b"), "call"),
        (start().replace(STREAM, "a/b"), "stream"),
        (media(1), "start"),
    ],
)
def test_what_cannot_be_served_is_refused(frame: str, names: str) -> None:
    """By a close that names it; nothing that follows is heard."""
    dialect = TwilioMedia("", "id")
    (hangup,) = dialect.hear(frame)

    assert isinstance(hangup, Hangup)
    assert hangup.code == 1008
    assert names in hangup.reason
    assert dialect.hear(start()) == []


def test_parameters_may_be_in_the_address_of_those_that_keep_it() -> None:
    """The stream's own win."""
    dialect = TwilioMedia("language=es&turn_mode=auto", "id")
    _, starts = dialect.hear(start(language="pt"))

    assert isinstance(starts, StartSession)
    assert (starts.config.lang_code, starts.config.turn_mode) == ("pt", "auto")


def test_what_the_session_says_is_for_the_listeners() -> None:
    """As it is, the end of the stream after it; a partial is passing."""
    dialect = opened()
    messages = [STARTED, partial("Bom"), failed(segment_id="seg-0001"), final("Bom dia."), ENDED]
    steps = [step for message in messages for step in dialect.tell(message)]

    assert told(steps) == [
        *(json.loads(protocol.encode(message)) for message in messages),
        {"type": "stream_ended", "session_id": f"{CALL}/{STREAM}"},
    ]
    assert [step.passing for step in steps if isinstance(step, Notice)] == [False, True, False, False, False, False]
    assert [step.last for step in steps if isinstance(step, Notice)] == [False] * 5 + [True]


def test_a_session_that_is_not_admitted_closes_the_stream() -> None:
    """Listeners are told as a client of the native protocol is; no audio is taken."""
    dialect = opened()
    steps = dialect.tell(failed(ErrorCode.MAX_SESSIONS_REACHED, retry_after_ms=1000))

    assert [message["type"] for message in told(steps)] == ["error", "stream_ended"]
    assert steps[-1] == Hangup(1013, "No luck")
    assert dialect.hear(media(1)) == []


def test_a_session_that_ends_before_the_start_closes() -> None:
    dialect = TwilioMedia("", "id")

    assert dialect.tell(failed(ErrorCode.INVALID_MESSAGE)) == [Hangup(1008, "No luck")]


@pytest.mark.parametrize(
    "frame",
    [media(2, payload="%"), media(2, payload=7), "no JSON", "[]", '{"event": 1}', "[" * 5_000, b"binary"],
)
def test_what_cannot_be_read_is_complained_of_once(frame: str | bytes) -> None:
    """To the listeners, and the stream goes on."""
    dialect = opened()
    (complaint,) = told(dialect.hear(frame))

    assert complaint["code"] == "INVALID_MESSAGE"
    assert dialect.hear(frame) == []
    assert dialect.hear(media(1)) == [b"\x7f" * 160]


def test_a_jump_in_time_is_told() -> None:
    dialect = opened()
    dialect.hear(media(1))
    audio, complaint = dialect.hear(media(2, timestamp="90000"))

    assert audio == b"\x7f" * 160
    assert "timestamp" in told([complaint])[0]["message"]


def test_keys_and_marks_are_told() -> None:
    dialect = opened()
    pressed = {"event": "dtmf", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": "1"}}
    reached = {"event": "mark", "sequenceNumber": "4", "mark": {"name": "greeted"}}
    session = f"{CALL}/{STREAM}"

    assert told(dialect.hear(json.dumps(pressed))) == [
        {"type": "dtmf", "session_id": session, "track": "inbound_track", "digit": "1"}
    ]
    assert told(dialect.hear(json.dumps(reached))) == [{"type": "mark", "session_id": session, "name": "greeted"}]


def test_other_events_are_ignored() -> None:
    dialect = opened()
    steps: list[Step] = [*dialect.hear(CONNECTED), *dialect.hear('{"event": "clear"}'), *dialect.hear(start())]

    assert steps == []


def test_a_stop_without_a_start_hangs_up() -> None:
    assert TwilioMedia("", "id").hear(STOP) == [Hangup(1000)]


def test_the_key_is_taken_out_of_the_start() -> None:
    """Whoever reads the message after that does not see it."""
    found = take_key(start(api_key="stt_secret", language="pt"))
    assert found is not None
    key, rest = found

    assert key == "stt_secret"
    assert json.loads(rest) == json.loads(start(language="pt"))


@pytest.mark.parametrize(
    "frame", [start(), '{"event": "start"}', '{"event": "start", "start": {"customParameters": {"api_key": 7}}}']
)
def test_a_start_may_have_no_key(frame: str) -> None:
    found = take_key(frame)

    assert found is not None
    assert found[0] == ""


@pytest.mark.parametrize("frame", [CONNECTED, media(1), STOP, "", "no JSON", '{"event": []}'])
def test_other_messages_have_none(frame: str) -> None:
    assert take_key(frame) is None
