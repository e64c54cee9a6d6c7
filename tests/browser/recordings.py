"""Recordings for the page: through the microphone, or as files."""

import base64
import io
import wave

import numpy as np
import soundfile
import soxr
from playwright.sync_api import Page

from harness.audio import silence, speech

PAUSE_S = 0.8
CANCEL_THE_LAST = """
from transcription.audit import actions
from transcription.models import Session
actions.cancel(Session.objects.filter(reason="").latest("pk"))
"""
"""What an operator does, for `manage.py shell`."""


def spoken(*clips: str, before_s: float = 0.3) -> bytes:
    """Clips of tests/audio with pauses between them, as a WAV."""
    with io.BytesIO() as buffer, wave.open(buffer, "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", ""))
        wav.writeframes(silence(before_s) + b"".join(speech(clip) + silence(PAUSE_S) for clip in clips))
        return buffer.getvalue()


def stereo(clip: str, right: float = 0.0) -> bytes:
    """A clip as FLAC at 44.1 kHz, in the left of two channels; in the right one at this share of it."""
    samples = np.frombuffer(silence(0.3) + speech(clip) + silence(PAUSE_S), "<i2")
    fast = soxr.resample(samples, 16_000, 44_100)
    with io.BytesIO() as buffer:
        soundfile.write(buffer, np.stack([fast, (right * fast).astype(np.int16)], axis=1), 44_100, format="FLAC")
        return buffer.getvalue()


def drop(page: Page, recording: bytes, name: str = "fala.wav") -> None:
    """Drops a file on the page, as a hand with a mouse does."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, base64.b64encode(recording).decode()],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": transfer})
