"""The account of `make chaos` sees what it is there to see."""

from typing import Any

import pytest

from harness.audio import noise
from harness.echo import heard
from harness.talker import Received
from reliability.chaos import Account
from reliability.conversation import Conversation, Owed
from reliability.faults import Happened

PCM = noise(0.5)


def final(segment_id: str, text: str, samples: int = 8_000) -> dict[str, Any]:
    """A message as the service sends it."""
    return {
        "type": "final_transcript",
        "segment_id": segment_id,
        "text": text,
        "audio_start_ms": 0.0,
        "audio_duration_ms": samples / 16,
    }


def account(*messages: dict[str, Any]) -> Account:
    """Of one session that is owed one segment, asked for at 10 s, and hears these messages at 13 s."""
    conversation = Conversation("s", vad=False, owed={"seg-0001": Owed(10.0, (0, 8_000))}, sent=bytearray(PCM))
    for message in messages:
        conversation._hear(Received(13.0, message))
    return Account([conversation], [], [])


@pytest.mark.parametrize(
    ("messages", "counted"),
    [
        ([final("seg-0001", heard(PCM))], None),
        ([{"type": "error", "code": "INFERENCE_ERROR", "segment_id": "seg-0001"}], None),
        ([{"type": "session_ended", "reason": "error"}], None),
        ([], "lost"),
        ([{"type": "session_ended", "reason": "completed"}], "lost"),
        ([final("seg-0001", heard(PCM))] * 2, "duplicated"),
        ([final("seg-0001", heard(PCM[:-2]))], "wrong text"),
        ([final("seg-0001", heard(PCM[: 2 * 7_000]), 7_000)], "wrong text"),
        ([final("seg-0001", heard(PCM)), final("seg-0002", "0 0")], "never asked for"),
    ],
)
def test_what_is_lost_doubled_or_wrong_is_counted(messages: list[dict[str, Any]], counted: str | None) -> None:
    """Each by its name, and nothing else."""
    found = account(*messages)
    bad = {name for name in ("lost", "duplicated", "wrong text", "never asked for") if found.totals()[name]}

    assert bad == ({counted} if counted else set())
    assert found.sound is (counted is None)


@pytest.mark.parametrize(
    ("spans", "right"),
    [
        ([(0, 8_000)], True),
        ([(0, 4_801), (4_801, 7_900)], True),
        ([(0, 4_801), (4_802, 7_900)], False),
        ([(0, 4_801), (4_785, 7_900)], False),
        ([(4_801, 7_900), (0, 4_801)], False),
        ([(16, 8_000)], False),
    ],
)
def test_pieces_of_a_segment_must_follow_each_other(spans: list[tuple[int, int]], right: bool) -> None:
    """Without a hole, and nothing twice."""
    conversation = Conversation("s", vad=True, owed={"seg-0001": Owed(10.0, None)}, sent=bytearray(PCM))
    text = " ".join(heard(PCM[2 * start : 2 * end]) for start, end in spans)
    conversation._hear(Received(13.0, final("seg-0001", text)))

    assert (not conversation.owed["seg-0001"].wrong) is right


def test_recovery_is_the_longest_wait_since_the_service_could() -> None:
    """Of the finals owed while the fault lasted; those asked for later do not count."""
    found = account(final("seg-0001", heard(PCM)))

    assert found.recovery_s(Happened("worker_killed", began=11.0, over=11.0, ended=11.0)) == 2.0
    assert found.recovery_s(Happened("redis_killed", began=9.0, over=12.5, ended=12.5)) == 0.5
    assert found.recovery_s(Happened("worker_killed", began=2.0, over=2.0, ended=2.0)) is None
