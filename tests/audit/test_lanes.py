"""A session of two channels in the admin: a lane each, the names of who speaks, what is written of whom."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from transcription.audit import actions, records, svg
from transcription.audit.layout import TimelineEvent, TimelineSegment, layout
from transcription.core.config import SessionConfig
from transcription.core.protocol import EndReason, FinalTranscript, Timing, Word
from transcription.core.session.effects import RecordClosed, RecordFailedSegment, RecordOpened, RecordSegment
from transcription.core.session.trace import Latency, SegmentTrace
from transcription.models import Segment, Session

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # no collectstatic

TIMING = Timing(preprocess_ms=0, queue_wait_ms=0, inference_ms=0, postprocess_ms=0, server_total_ms=0)
TRACE = SegmentTrace(
    speech_end_ms=900,
    asked_ms=0,
    answered_ms=0,
    sent_ms=0,
    attempts=1,
    batch_size=1,
    latency=Latency(vad_wait=1, queue=1, batch_wait=1, model=1, delivery=1),
    partials=[],
)


def final(channel: int, number: int, start_ms: float, text: str, language: str) -> RecordSegment:
    """A final, as a session has it recorded."""
    words = [Word(word=word, start=n / 4, end=(n + 1) / 4, probability=0.9) for n, word in enumerate(text.split())]
    message = FinalTranscript(
        session_id="s", segment_id=f"seg-{channel}-{number:04d}", channel=channel, language=language, text=text,
        confidence=0.9, words=words, audio_duration_ms=1000.0, audio_start_ms=start_ms, timing=TIMING,
    )  # fmt: skip
    return RecordSegment(message, TRACE)


@pytest.fixture
def session(db: None) -> Session:
    """A caller who speaks Spanish, an agent who says a number in Portuguese, and an answer that was lost."""
    config = SessionConfig(channels=2, channel_names=("agent", "caller"), detect=True)
    uid = "f" * 32
    records._open(uid, "", None, RecordOpened("s", config), dialect="", started_at=datetime.now(UTC))
    for record in (
        final(1, 1, 2000.0, "Hola, quiero dos.", "es"),
        final(0, 1, 500.0, "São vinte reais.", "pt"),
        RecordFailedSegment("seg-1-0002", 4000.0, 500.0, "no luck", TRACE, 1),
    ):
        records._add_segment(uid, record, datetime.now(UTC))
    closed = RecordClosed(EndReason.COMPLETED, 5000.0, 3, 1, (), resumable=False, language="pt")
    records._close(uid, closed, datetime.now(UTC))
    return Session.objects.get(uid=uid)


def test_each_talker_has_a_row_in_every_stretch() -> None:
    """With the same times; events are on the first."""
    segments = [
        TimelineSegment("seg-0-0001", 500, 1000, lane="agent"),
        TimelineSegment("seg-1-0001", 12_000, 1000, lane="caller"),
    ]
    rows = layout(segments, [TimelineEvent(600, "client gone")])

    assert [(row.start_s, row.lane) for row in rows] == [(0, "agent"), (0, "caller"), (10, "agent"), (10, "caller")]
    assert [len(row.bars) > 0 for row in rows] == [True, False, False, True]
    assert [[mark.kind for mark in row.marks if mark.kind == "event"] for row in rows] == [["event"], [], [], []]
    drawn = svg.draw(rows)
    assert drawn.count("<title>caller</title>") == 2


def test_a_session_of_one_has_no_lanes() -> None:
    """As it ever was."""
    (row,) = layout([TimelineSegment("seg-0001", 500, 1000)], [])

    assert row.lane == "" and 'class="lane"' not in svg.draw([row])


def test_a_name_is_no_markup() -> None:
    """The client chose it."""
    (row,) = layout([TimelineSegment("seg-0001", 500, 1000, lane="<b>agent")], [])

    assert "<b>" not in svg.draw([row])


def test_records_say_which_channel_and_which_language(session: Session) -> None:
    """Of what was lost, too; the session's is what it was in the end."""
    found = {row.segment_id: (row.channel, row.language) for row in Segment.objects.all()}

    assert found == {"seg-0-0001": (0, "pt"), "seg-1-0001": (1, "es"), "seg-1-0002": (1, None)}
    assert session.language == "pt"


def test_exports_interleave_with_the_names(session: Session, admin_client: Client) -> None:
    """By time, whoever was answered first; only Portuguese is formatted."""
    url = f"/admin/transcription/session/{session.pk}"
    text = admin_client.get(f"{url}/export/txt?formatted").content.decode()
    srt = admin_client.get(f"{url}/export/srt").content.decode()
    told = json.loads(admin_client.get(f"{url}/export/json").content)["segments"]

    assert text == "agent: São R$ 20.\ncaller: Hola, quiero dos.\n"
    assert srt.index("agent: São vinte reais.") < srt.index("caller: Hola, quiero dos.")
    assert [row["speaker"] for row in told] == ["agent", "caller", "caller"]
    assert ["text_formatted" in row for row in told] == [True, False, True]


def test_the_page_shows_both(session: Session, admin_client: Client) -> None:
    """Their lanes, and whose each segment is."""
    page = admin_client.get(f"/admin/transcription/session/{session.pk}/change/").content.decode()

    assert page.count('class="lane"') == 2
    assert "<br>caller (es)" in page


def test_a_channel_without_a_name_has_its_number() -> None:
    """And a session of one channel has none."""
    assert actions.speaker(Session(), Segment(channel=1)) == "channel 1"
    assert actions.speaker(Session(), Segment()) == ""
