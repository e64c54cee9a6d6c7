"""Talkers beside uploads: what is uploaded, and what is told of it."""

import io
import wave

from benchmarks.uploads import RECORDING_S, Beside, _wav, uploads_json, uploads_markdown
from tests.benchmarks.material import final, one_clip_script, partial, record_of, spoken


def beside() -> Beside:
    """A final 700 ms after the end of speech alone, and 840 ms beside uploads; the second round takes no longer."""
    records = [
        [record_of(one_clip_script(), [(1.2, partial("s1", 1_000.0)), (at, final("s1", 200.0, 1_800.0))])] * 2
        for at in (2.2, 2.34)
    ]
    return Beside([records[0]] * 2, [records[1]] * 2, decoded_s=50.0, lasted_s=20.0)


def test_all_rounds_count_together() -> None:
    """One row a variant, each figure alone and beside uploads, with what one is of the other."""
    text = uploads_markdown("2 talkers, ms", {"now": beside()}, 2, 300.0)

    assert "| now " in text
    assert "| 4 " in text
    assert "700 → 840 (1.20)" in text
    assert "2.5 ×" in text
    assert "0, 0, 0" in text


def test_the_report_has_both_runs() -> None:
    (told,) = uploads_json({"now": beside()}, 2, 300.0)

    assert (told["variant"], told["alone"]["final"]["p50"], told["beside"]["final"]["p50"]) == ("now", 700.0, 840.0)


def test_what_is_uploaded_is_speech_for_five_minutes() -> None:
    """Clips with short pauses."""
    with wave.open(io.BytesIO(_wav([spoken(3.0)], seed=0))) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, RECORDING_S * 16_000)
