"""Transcripts as text, subtitles and JSON. No I/O."""

import json
from collections.abc import Sequence

import msgspec

from whisper_stt.cli import subtitles
from whisper_stt.cli.subtitles import Said
from whisper_stt.session.messages import FinalTranscript, ServerError


def render(
    kind: str,
    name: str,
    segments: Sequence[FinalTranscript],
    failed: Sequence[ServerError],
    *,
    times: bool = True,
    incomplete: str | None = None,
) -> str:
    """A whole transcript as `txt`, `srt`, `vtt` or `json` (one document a line for each file).

    `incomplete` is why there is no more of it, which only `json` can say.
    """
    match kind:
        case "srt":
            return subtitles.srt(_said(segments))
        case "vtt":
            return subtitles.vtt(_said(segments))
        case "json":
            return json.dumps(_document(name, segments, failed, incomplete), ensure_ascii=False) + "\n"
        case _:
            return "".join(line(segment, times=times) for segment in segments)


def line(segment: FinalTranscript, *, times: bool) -> str:
    """A segment as a line of text."""
    if not times:
        return f"{segment.text}\n"
    return f"[{_clock(segment.start)} → {_clock(segment.end)}] {segment.text}\n"


def _said(segments: Sequence[FinalTranscript]) -> list[Said]:
    return [
        Said(
            start=segment.start,
            duration=segment.audio_duration_ms / 1000,
            text=segment.text,
            words=[(word.word, word.start, word.end) for word in segment.words],
        )
        for segment in segments
    ]


def _clock(seconds: float) -> str:
    return subtitles.clock(round(seconds * 1000), ".")


def _document(
    name: str, segments: Sequence[FinalTranscript], failed: Sequence[ServerError], incomplete: str | None
) -> dict[str, object]:
    document: dict[str, object] = {
        "file": name,
        "text": " ".join(segment.text for segment in segments),
        "segments": [_segment(segment) for segment in segments],
        "failed": [{"segment_id": error.segment_id, "message": error.message} for error in failed],
    }
    return document if incomplete is None else document | {"incomplete": incomplete}


def _segment(segment: FinalTranscript) -> dict[str, object]:
    told: dict[str, object] = {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "confidence": segment.confidence,
        "words": [
            {"word": word.word, "start": word.start, "end": word.end, "probability": word.probability}
            for word in segment.timeline
        ],
    }
    if segment.text_formatted is None:
        return told
    return told | {"text_formatted": segment.text_formatted, "entities": msgspec.to_builtins(segment.entities)}
