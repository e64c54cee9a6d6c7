"""`whisper-stt load`: talkers that speak in real time, and what they had to wait for."""

import argparse
import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import whisper_stt
from whisper_stt.cli import Exit
from whisper_stt.cli.advice import advised
from whisper_stt.cli.interruption import Interruption
from whisper_stt.cli.streams import complain, say
from whisper_stt.errors import ConnectError, RefusedError, WhisperSttError
from whisper_stt.media import SAMPLE_RATE, Audio
from whisper_stt.session.messages import Event, FinalTranscript, PartialTranscript, ServerError, VadEvent
from whisper_stt.session.words import _

CHUNK_MS = 20
CHUNK = SAMPLE_RATE * 2 * CHUNK_MS // 1000
LONGEST_S = 600


@dataclass(slots=True)
class Figures:
    """What all talkers saw. Times are in seconds, by the client's clock."""

    talkers: int
    started: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """Connections and segments that were lost, by what was said of them."""
    audio_s: float = 0.0
    opening: list[float] = field(default_factory=list)
    """From dialling to `session_started`."""
    partial: list[float] = field(default_factory=list)
    """From the audio's being sent to the partial that has it."""
    final: list[float] = field(default_factory=list)
    """From the end of a segment, the silence that ends it included, to its final."""
    after_speech: list[float] = field(default_factory=list)
    """From the end of speech to the final."""
    trouble: str = ""
    """What was said of the last talker who was refused or lost."""

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "talkers": self.talkers,
            "started": self.started,
            "refused": dict(self.refused),
            "failed": dict(self.failed),
            "audio_s": round(self.audio_s, 1),
            **{name: spread(getattr(self, name)) for name in ("opening", "partial", "final", "after_speech")},
        }


class Talker:
    """One session: speaks for a while, and notes when what was answered."""

    def __init__(self, figures: Figures, clips: list[bytes], arguments: argparse.Namespace) -> None:
        self._figures = figures
        self._clips = clips
        self._arguments = arguments
        self._began = 0.0
        self._speech_ends: dict[str, float] = {}

    async def talk(self) -> None:
        """Speak until the time is over, then wait for the last final."""
        clock = asyncio.get_running_loop().time
        dialled = clock()
        options = {"language": self._arguments.language, "vad_threshold": self._arguments.vad_threshold}
        try:
            async with whisper_stt.connect(self._arguments.url, speed=2.0, retry_s=0.0, **options) as stream:
                self._figures.started += 1
                self._figures.opening.append(clock() - dialled)
                self._began = clock()
                stream.feed(self._speech())
                async for event in stream:
                    self._note(event, clock() - self._began)
        except WhisperSttError as error:
            self._figures.trouble = advised(error)
            if isinstance(error, RefusedError):
                self._figures.refused[error.code] += 1
            else:
                self._figures.failed[type(error).__name__] += 1

    async def _speech(self) -> AsyncIterator[bytes]:
        """What it says, as it says it."""
        clock = asyncio.get_running_loop().time
        pause = bytes(2 * int(self._arguments.pause * SAMPLE_RATE))
        spoken_ms, most_ms = 0, self._arguments.duration * 1000
        while spoken_ms < most_ms:
            pcm = random.choice(self._clips) + pause  # noqa: S311 - any will do
            pcm += bytes(-len(pcm) % CHUNK)  # so that each chunk is as long as it takes
            for at in range(0, len(pcm), CHUNK):
                spoken_ms += CHUNK_MS
                # As a microphone gives it: when it is over. Sent as it begins, it would have its final before its end.
                await asyncio.sleep(max(self._began + spoken_ms / 1000 - clock(), 0))
                yield pcm[at : at + CHUNK]
                if spoken_ms >= most_ms:
                    break
        self._figures.audio_s += spoken_ms / 1000

    def _note(self, event: Event, now: float) -> None:
        match event:
            case VadEvent(state="speech_end", segment_id=str(segment_id), t_ms=t_ms):
                self._speech_ends[segment_id] = t_ms / 1000
            case PartialTranscript(audio_end_ms=end_ms):
                self._figures.partial.append(now - end_ms / 1000)
            case FinalTranscript(segment_id=segment_id):
                self._figures.final.append(now - event.end)
                if segment_id in self._speech_ends:
                    self._figures.after_speech.append(now - self._speech_ends.pop(segment_id))
            case ServerError(code=code):
                self._figures.failed[code] += 1


def load(arguments: argparse.Namespace) -> int:
    """Run the talkers and show what they saw."""
    clips = [_clip(name, arguments.channel) for name in arguments.files]
    figures, interruption = Figures(arguments.talkers), Interruption()
    with suppress(asyncio.CancelledError):
        asyncio.run(_run(figures, interruption, clips, arguments))
    say(json.dumps(figures.document(), indent=2) + "\n" if arguments.json else table(figures))
    if interruption.signal:
        complain(_("Interrupted"))
        return 128 + interruption.signal
    if not figures.started:
        raise ConnectError(_("No talker got a session: {reason}").format(reason=figures.trouble or _("nobody tried")))
    return Exit.INCOMPLETE if figures.refused or figures.failed else Exit.OK


def _clip(name: str, channel: int | None) -> bytes:
    with Audio(name, channel=channel) as audio:
        pcm = b"".join(islice(audio, LONGEST_S * 2))
    if audio.damage:
        complain(f"{name}: {audio.damage}")
    return pcm


async def _run(figures: Figures, interruption: Interruption, clips: list[bytes], arguments: argparse.Namespace) -> None:
    async def later(n: int) -> None:
        await asyncio.sleep(arguments.ramp * n / arguments.talkers)
        await Talker(figures, clips, arguments).talk()

    talking = asyncio.gather(*(later(n) for n in range(arguments.talkers)))
    with interruption.handled(talking.cancel):
        await talking


def spread(values: list[float]) -> dict[str, float | int]:
    """Count, median, and the 95th and 99th percentile (nearest rank), in milliseconds."""
    ordered = sorted(values)
    ranks = {f"p{p}_ms": round(ordered[math.ceil(p / 100 * len(ordered)) - 1] * 1000) for p in (50, 95, 99) if ordered}
    return {"count": len(ordered), **ranks}


def table(figures: Figures) -> str:
    """The figures for people."""
    said, count = figures.document(), _("count")
    lines = [
        _("{started} of {talkers} talkers, {seconds:.0f} s of audio").format(
            started=figures.started, talkers=figures.talkers, seconds=figures.audio_s
        ),
        f"{'ms':<14}{count:>8}{'p50':>8}{'p95':>8}{'p99':>8}",
    ]
    rows = {"opening": _("opening"), "partial": _("partial"), "final": _("final"), "after_speech": _("after speech")}
    for name, called in rows.items():
        row = said[name]
        assert isinstance(row, dict)
        lines.append(f"{called:<14}{''.join(f'{value:>8}' for value in row.values())}")
    for what, called in (("refused", _("refused")), ("failed", _("failed"))):
        lines += [f"{called}: {code} {count}" for code, count in getattr(figures, what).items()]
    return "\n".join(lines) + "\n"
