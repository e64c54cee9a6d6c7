"""From what was sent and received to latencies: which message answers which audio, and how long it took."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clips import SAMPLE_RATE
from benchmarks.record import Record
from benchmarks.schedule import Placed
from harness.talker import Received

TIMING_PARTS = ("preprocess_ms", "queue_wait_ms", "inference_ms", "postprocess_ms", "server_total_ms")


@dataclass(slots=True)
class Segment:
    """All messages about one segment."""

    partials: list[Received] = field(default_factory=list)
    final: Received | None = None
    endpoint: Received | None = None
    """The `speech_end` event."""
    failed: bool = False
    """Whether an error named it."""
    repeats: int = 0
    """Finals after the first."""

    @property
    def lost(self) -> bool:
        """Whether the client was left without an answer."""
        return self.final is None and not self.failed


@dataclass(slots=True)
class Measures:
    """What a run gave, over all its sessions. Latencies in milliseconds."""

    audio_s: float = 0.0
    """Audio sent."""
    speech_s: float = 0.0
    """Speech in it."""
    partial_ms: list[float] = field(default_factory=list)
    """A partial's receipt, from when the last sample it covers was due."""
    first_partial_ms: list[float] = field(default_factory=list)
    """A segment's first partial, from the true start of its speech."""
    final_ms: list[float] = field(default_factory=list)
    """A final, from the true end of its speech."""
    final_after_endpoint_ms: list[float] = field(default_factory=list)
    """A final, from the receipt of its `speech_end`."""
    finals: int = 0
    lost_segments: int = 0
    """Announced, then never answered."""
    repeated_finals: int = 0
    unheard_clips: int = 0
    """Clips no final overlaps, in sessions that began."""
    refused: int = 0
    """Sessions the server did not let begin."""
    broken: int = 0
    """Sessions that began and did not come to their proper end."""
    errors: Counter[str] = field(default_factory=Counter)
    """Error messages by code."""
    timing_ms: dict[str, list[float]] = field(default_factory=dict)
    """The server's own receipts: `partial.inference_ms` and so on."""
    lags_ms: list[float] = field(default_factory=list)
    """How late the harness sent each frame."""
    references: list[str] = field(default_factory=list)
    hypotheses: list[str] = field(default_factory=list)
    """What was said and what came back, a pair for each clip of the sessions that began."""


def measure(records: Iterable[Record]) -> Measures:
    """Take every figure of a run."""
    measures = Measures()
    for record in records:
        measures.errors.update(r.message["code"] for r in record.received if r.message["type"] == "error")
        if not record.started:
            measures.refused += 1
            continue
        measures.audio_s += record.sent / SAMPLE_RATE
        measures.speech_s += record.script.speech_seconds
        measures.lags_ms += record.lags_ms
        measures.broken += not record.completed
        found = segments(record.received)
        for segment in found.values():
            _measure_segment(measures, record, segment)
        texts = clip_texts(record.script.placed, [segment.final.message for segment in found.values() if segment.final])
        for placed, text in zip(record.script.placed, texts, strict=True):
            measures.references.append(placed.clip.text)
            measures.hypotheses.append(text or "")
            measures.unheard_clips += text is None
    return measures


def segments(received: Iterable[Received]) -> dict[str, Segment]:
    """Messages by the segment they are about, in order of first mention."""
    found: dict[str, Segment] = {}
    for item in received:
        segment_id = item.message.get("segment_id")
        if segment_id is None:
            continue
        segment = found.setdefault(segment_id, Segment())
        match item.message["type"]:
            case "partial_transcript":
                segment.partials.append(item)
            case "final_transcript" if segment.final:
                segment.repeats += 1
            case "final_transcript":
                segment.final = item
            case "vad_event" if item.message["state"] == "speech_end":
                segment.endpoint = item
            case "error":
                segment.failed = True
    return found


def clip_texts(placed: Sequence[Placed], finals: Iterable[dict[str, Any]]) -> list[str | None]:
    """What the finals say of each clip: each goes to the clip it overlaps most. `None` for a clip none overlaps."""
    parts: list[list[str]] = [[] for _ in placed]
    for final in finals:
        start, end = bounds(final)
        overlaps = [min(end, clip.end) - max(start, clip.start) for clip in placed]
        best = max(range(len(placed)), key=overlaps.__getitem__)
        if overlaps[best] > 0:
            parts[best].append(final["text"])
    return [" ".join(texts) if texts else None for texts in parts]


def bounds(final: dict[str, Any]) -> tuple[int, int]:
    """First and one past the last sample of a final's segment, in the session."""
    start = samples(final["audio_start_ms"])
    return start, start + samples(final["audio_duration_ms"])


def samples(milliseconds: float) -> int:
    """Milliseconds of session audio as a sample count."""
    return round(milliseconds * SAMPLE_RATE / 1000)


def _measure_segment(measures: Measures, record: Record, segment: Segment) -> None:
    measures.lost_segments += segment.lost
    measures.repeated_finals += segment.repeats
    for partial in segment.partials:
        covered = samples(partial.message["audio_end_ms"])
        measures.partial_ms.append((partial.at - record.due(covered)) * 1000)
        _note_timing(measures, "partial", partial.message)
    if not segment.final:
        return
    final = segment.final
    measures.finals += 1
    _note_timing(measures, "final", final.message)
    if segment.endpoint:
        measures.final_after_endpoint_ms.append((final.at - segment.endpoint.at) * 1000)
    speech = record.script.speech_between(*bounds(final.message))
    if not speech:
        return
    start, end = speech
    measures.final_ms.append((final.at - record.due(end)) * 1000)
    if segment.partials:
        measures.first_partial_ms.append((segment.partials[0].at - record.due(start)) * 1000)


def _note_timing(measures: Measures, kind: str, message: dict[str, Any]) -> None:
    for part in TIMING_PARTS:
        if part in message["timing"]:
            measures.timing_ms.setdefault(f"{kind}.{part}", []).append(message["timing"][part])
