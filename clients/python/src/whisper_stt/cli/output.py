"""Transcripts as text, subtitles and JSON. No I/O."""

import json
from collections.abc import Sequence

from whisper_stt.messages import FinalTranscript, ServerError


def render(
    kind: str, name: str, segments: Sequence[FinalTranscript], failed: Sequence[ServerError], *, times: bool = True
) -> str:
    """A whole transcript as `txt`, `srt`, `vtt` or `json` (one document a line for each file)."""
    match kind:
        case "srt":
            return "\n".join(f"{n}\n{_cue(segment, ',')}" for n, segment in enumerate(segments, 1))
        case "vtt":
            return "\n".join(["WEBVTT\n", *(_cue(segment, ".") for segment in segments)])
        case "json":
            return json.dumps(_document(name, segments, failed), ensure_ascii=False) + "\n"
        case _:
            return "".join(line(segment, times=times) for segment in segments)


def line(segment: FinalTranscript, *, times: bool) -> str:
    """A segment as a line of text."""
    if not times:
        return f"{segment.text}\n"
    return f"[{clock(segment.start, '.')} → {clock(segment.end, '.')}] {segment.text}\n"


def clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and milliseconds, as subtitles have them."""
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def _cue(segment: FinalTranscript, point: str) -> str:
    return f"{clock(segment.start, point)} --> {clock(segment.end, point)}\n{segment.text}\n"


def _document(name: str, segments: Sequence[FinalTranscript], failed: Sequence[ServerError]) -> dict[str, object]:
    return {
        "file": name,
        "text": " ".join(segment.text for segment in segments),
        "segments": [
            {
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "confidence": segment.confidence,
                "words": [
                    {"word": word.word, "start": word.start, "end": word.end, "probability": word.probability}
                    for word in segment.timeline
                ],
            }
            for segment in segments
        ],
        "failed": [{"segment_id": error.segment_id, "message": error.message} for error in failed],
    }
