"""Transcripts of two who speak: who says what, and in the order it was said. The client's file is the same rule."""

from itertools import pairwise

import pytest
import whisper_stt.cli.output as client
import whisper_stt.cli.subtitles as theirs
from whisper_stt.session.messages import FinalTranscript, Timing

from transcription.audit.actions import txt
from transcription.core import subtitles as ours

TIMING = Timing(preprocess_ms=0, queue_wait_ms=0, inference_ms=0, postprocess_ms=0, server_total_ms=0)
LONG = "Um momento que eu já vejo aqui no sistema para o senhor. Achei o seu pedido, ele sai hoje."


def conversation(said: type) -> list:
    """One speaks for eight seconds, the other says a word in the midst of it."""
    words = [(word, n * 0.45, n * 0.45 + 0.4) for n, word in enumerate(LONG.split())]
    return [
        said(0.0, 8.0, LONG, words, "agent"),
        said(2.0, 0.8, "Tá bom.", [("Tá", 0.1, 0.3), ("bom.", 0.4, 0.7)], "Ana Maria"),
    ]


@pytest.mark.parametrize("module", [ours, theirs])
def test_cues_come_in_the_order_they_begin_and_say_who_speaks(module: object) -> None:
    """What is said in the midst of another's sentence is shown there, not after it."""
    cues = module.cues(conversation(module.Said))
    texts = [" ".join(cue.lines) for cue in cues]

    assert [text.partition(":")[0] for text in texts if ":" in text][:3] == ["agent", "Ana Maria", "agent"]
    assert texts.index("Ana Maria: Tá bom.") < len(texts) - 1
    assert all(one.end <= other.start for one, other in pairwise(cues))
    assert all(len(line) <= module.LINE_CHARS for cue in cues for line in cue.lines)


def test_both_files_write_the_same() -> None:
    """SRT and WebVTT."""
    for write in ("srt", "vtt"):
        assert getattr(ours, write)(conversation(ours.Said)) == getattr(theirs, write)(conversation(theirs.Said))


def test_lines_of_text_say_who_speaks() -> None:
    """In the admin's export and in the command's output; a channel without a name is told by its number."""
    final = FinalTranscript(
        session_id="s", segment_id="seg-1-0001", text="Tá bom.", confidence=1.0, words=[], audio_duration_ms=800.0,
        audio_start_ms=2000.0, timing=TIMING, channel=1,
    )  # fmt: skip

    assert txt(conversation(ours.Said)) == f"agent: {LONG}\nAna Maria: Tá bom.\n"
    assert client.line(final, times=False, speakers=["agent", "caller"]) == "caller: Tá bom.\n"
    assert client.line(final, times=True) == "[00:00:02.000 → 00:00:02.800] channel 1: Tá bom.\n"
