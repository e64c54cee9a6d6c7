"""Golden transcripts (`subtitles/*.jsonl`, a final a line) and the subtitles that admin and command make of them.

`tests/browser/test_page_modules.py` has the page make the same. A change of the rule changes these files first.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from whisper_stt.cli import output
from whisper_stt.cli import subtitles as client_subtitles
from whisper_stt.session.messages import FinalTranscript

from transcription.audit import actions
from transcription.core import subtitles as service_subtitles
from transcription.models import Segment, Session

GOLDEN = Path(__file__).parent / "subtitles"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.jsonl"))
REST = {
    "type": "final_transcript",
    "session_id": "call-4711",
    "segment_id": "seg-0001",
    "confidence": 0.9,
    "timing": dict.fromkeys(["preprocess_ms", "queue_wait_ms", "inference_ms", "postprocess_ms", "server_total_ms"], 0),
}
"""What subtitles do not show."""


def finals(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]


def subtitles(name: str, kind: str) -> str:
    return (GOLDEN / f"{name}.{kind}").read_bytes().decode()


@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize("name", NAMES)
def test_admin_exports(name: str, kind: str) -> None:
    """From the records of a session, byte for byte."""
    records = [
        Segment(
            start_ms=final["audio_start_ms"],
            duration_ms=final["audio_duration_ms"],
            text=final["text"],
            words=final["words"],
        )
        for final in finals(name)
    ]
    _, write = actions.TEXT_FORMATS[kind]

    assert write(actions.said(Session(), records)) == subtitles(name, kind)


@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize("name", NAMES)
def test_command_writes(name: str, kind: str) -> None:
    """From the messages of the service, byte for byte."""
    messages = [
        final | REST | {"words": [word | {"probability": 0.9} for word in final["words"]]} for final in finals(name)
    ]
    segments = msgspec.convert(messages, list[FinalTranscript])

    assert output.render(kind, name, segments, []) == subtitles(name, kind)


def test_service_and_client_have_the_same_file() -> None:
    """Neither imports the other."""
    service, client = (Path(module.__file__ or "") for module in (service_subtitles, client_subtitles))

    assert service.read_bytes() == client.read_bytes()
