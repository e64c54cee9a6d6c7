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
    speakers: Sequence[str] = (),
) -> str:
    """A whole transcript as `txt`, `srt`, `vtt` or `json` (one document a line for each file).

    `incomplete` is why there is no more of it, which only `json` can say; `speakers` are names of the channels.
    """
    match kind:
        case "srt":
            return subtitles.srt(_said(segments, speakers))
        case "vtt":
            return subtitles.vtt(_said(segments, speakers))
        case "json":
            return json.dumps(_document(name, segments, failed, incomplete, speakers), ensure_ascii=False) + "\n"
        case _:
            return "".join(line(segment, times=times, speakers=speakers) for segment in segments)


def line(segment: FinalTranscript, *, times: bool, speakers: Sequence[str] = ()) -> str:
    """A segment as a line of text."""
    who = speaker(segment, speakers)
    text = f"{who}: {segment.text}" if who else segment.text
    return f"[{_clock(segment.start)} → {_clock(segment.end)}] {text}\n" if times else f"{text}\n"


def speaker(segment: FinalTranscript, names: Sequence[str]) -> str:
    """Who says a segment, where several do: the name of its channel, or its number."""
    if segment.channel is None:
        return ""
    return names[segment.channel] if segment.channel < len(names) else f"channel {segment.channel}"


def _said(segments: Sequence[FinalTranscript], speakers: Sequence[str]) -> list[Said]:
    return [
        Said(
            start=segment.start,
            duration=segment.audio_duration_ms / 1000,
            text=segment.text,
            words=[(word.word, word.start, word.end) for word in segment.words],
            speaker=speaker(segment, speakers),
        )
        for segment in segments
    ]


def _clock(seconds: float) -> str:
    return subtitles.clock(round(seconds * 1000), ".")


def _document(
    name: str,
    segments: Sequence[FinalTranscript],
    failed: Sequence[ServerError],
    incomplete: str | None,
    speakers: Sequence[str],
) -> dict[str, object]:
    document: dict[str, object] = {
        "file": name,
        "text": " ".join(segment.text for segment in segments),
        "segments": [_segment(segment, speakers) for segment in segments],
        "failed": [{"segment_id": error.segment_id, "message": error.message} for error in failed],
    }
    return document if incomplete is None else document | {"incomplete": incomplete}


def _segment(segment: FinalTranscript, speakers: Sequence[str]) -> dict[str, object]:
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
    if segment.channel is not None:
        told |= {"channel": segment.channel, "speaker": speaker(segment, speakers)}
    if segment.language is not None:
        told["language"] = segment.language
    if segment.text_formatted is None:
        return told
    return told | {"text_formatted": segment.text_formatted, "entities": msgspec.to_builtins(segment.entities)}
