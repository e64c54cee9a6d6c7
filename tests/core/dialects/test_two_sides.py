"""Two channels, and languages that are found out, as other services' clients ask for them and are told of them."""

import json
from typing import Any

import msgspec
import pytest

from tests.core.dialects.messages import final as message
from tests.core.dialects.test_deepgram_recordings import asked
from tests.core.dialects.test_twilio import STOP, media, opened, start
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.dialect import Refused, Reply
from transcription.core.dialects.sides import Sides
from transcription.core.dialects.twilio import TwilioMedia
from transcription.core.protocol import EndSession, FinalTranscript, StartSession, VadEvent

STEREO = "multichannel=true&channels=2&encoding=linear16&sample_rate=8000"


def final(text: str, **fields: object) -> FinalTranscript:
    """With fields of its own."""
    return msgspec.structs.replace(message(text), **fields)


def told(steps: Any) -> list[dict[str, Any]]:
    """What the client hears."""
    return [json.loads(step.text) for step in steps if isinstance(step, Reply)]


def test_deepgrams_channels_are_told_apart() -> None:
    """By `channel_index`; each has its own ranges, and its own `UtteranceEnd`."""
    live = DeepgramLive(f"{STEREO}&vad_events=true&utterance_end_ms=1000&interim_results=true", "id")
    (starts,) = live.open()
    assert isinstance(starts, StartSession) and starts.config.channels == 2
    begins = VadEvent(session_id="s", channel=1, state="speech_start", t_ms=500.0, segment_id="seg-1-0001")
    one = final("bom dia", segment_id="seg-0-0001", channel=0, audio_start_ms=0.0, audio_duration_ms=1000.0)
    other = final("olá", segment_id="seg-1-0001", channel=1, audio_start_ms=500.0, audio_duration_ms=1000.0)
    events = told(live.tell(begins)) + told(live.tell(one)) + told(live.tell(other))

    assert [event.get("channel_index", event["channel"]) for event in events] == [[1], [0, 2], [1, 2]]
    assert [event["start"] for event in events[1:]] == [0.0, 0.0]
    ends = told(live.hear(bytes(2 * 2 * 8000 * 3)))
    assert [event["channel"] for event in ends] == [[0, 2]], "the other speaks still"


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("channels=2", "channels"),
        ("multichannel=true", "channels"),
        ("multichannel=true&channels=3&encoding=linear16", "channels"),
        ("multichannel=true&channels=2", "encoding"),
    ],
)
def test_what_deepgrams_live_channels_need_is_said(query: str, wrong: str) -> None:
    """Two, asked for, and without a container."""
    with pytest.raises(Refused) as refused:
        DeepgramLive(query, "id").open()

    assert str(refused.value.body["err_msg"]).startswith(wrong)


def test_deepgrams_recordings_have_an_answer_a_channel() -> None:
    """With the utterances of both in order, each with its channel."""
    recording = asked("multichannel=true&utterances=true")
    (starts,) = recording.open()
    recording.tell(final("pois não", channel=1, audio_start_ms=2000.0))
    recording.tell(final("bom dia", channel=0, audio_start_ms=500.0))
    answer = json.loads(recording.answer(4.0).body)
    said = [channel["alternatives"][0]["transcript"] for channel in answer["results"]["channels"]]

    assert isinstance(starts, StartSession) and starts.config.channels == 2
    assert said == ["bom dia", "pois não"]
    assert answer["metadata"]["channels"] == 2
    assert [(one["transcript"], one["channel"]) for one in answer["results"]["utterances"]] == [
        ("bom dia", 0), ("pois não", 1)]  # fmt: skip


@pytest.mark.parametrize(("given", "among"), [("true", None), ("pt&detect_language=es", ["pt", "es"])])
def test_deepgrams_detected_language_is_that_of_most_of_the_text(given: str, among: list[str] | None) -> None:
    """Which is how sure we can say we are."""
    recording = asked(f"detect_language={given}")
    (starts,) = recording.open()
    recording.tell(final("buenos días", language="es"))
    recording.tell(final("sim", language="pt"))
    (channel,) = json.loads(recording.answer(4.0).body)["results"]["channels"]

    assert isinstance(starts, StartSession)
    assert (starts.config.lang_code, starts.config.languages) == ("auto", among)
    assert (channel["detected_language"], channel["language_confidence"]) == ("es", round(11 / 14, 4))


def test_multi_is_found_out() -> None:
    """And told."""
    live = DeepgramLive("language=multi&encoding=linear16", "id")
    (starts,) = live.open()
    (result,) = told(live.tell(final("hola", language="es")))

    assert isinstance(starts, StartSession) and starts.config.lang_code == "auto"
    assert result["channel"]["alternatives"][0]["languages"] == ["es"]


@pytest.mark.parametrize("wanted", ["both", "both_tracks"])
def test_twilios_tracks_are_two_channels(wanted: str) -> None:
    """The caller's samples and the agent's in turn, each at its time, whichever message comes first."""
    dialect = TwilioMedia("", "id")
    _, starts = dialect.hear(start(["inbound", "outbound"], track=wanted))
    assert isinstance(starts, StartSession)
    assert (starts.config.channels, starts.config.channel_names) == (2, ["inbound", "outbound"])
    heard = [*dialect.hear(media(1, b"\x01" * 160, "outbound")), *dialect.hear(media(1, b"\x02" * 160))]
    heard += dialect.hear(media(2, b"\x04" * 160))
    heard += dialect.hear(STOP)

    assert b"".join(step for step in heard if isinstance(step, bytes)) == b"\x02\x01" * 160 + b"\x04\xff" * 160
    assert isinstance(heard[-1], EndSession)


def test_both_cannot_be_had_where_one_is_sent() -> None:
    """It is said, and not heard as half a silence."""
    dialect = TwilioMedia("", "id")
    (hangup,) = dialect.hear(start(["inbound"], track="both"))

    assert hangup.reason.startswith("track: expected one of inbound")


def test_one_track_is_heard_as_ever() -> None:
    """The other is not."""
    dialect = opened(tracks=["inbound", "outbound"])

    assert dialect.hear(media(1, b"\x01" * 160, "outbound")) == []
    assert dialect.hear(media(1, b"\x02" * 160)) == [b"\x02" * 160]


def test_a_side_that_does_not_come_is_silent_and_too_late_afterwards() -> None:
    """So that the other is heard, and both stay in their places."""
    sides = Sides(8, b"s")
    assert sides.take(0, [b"a" * 12]) == b"as" * 4
    assert sides.take(1, [b"b" * 6]) == b"ab" * 2
    assert sides.flush() == b"as" * 6
