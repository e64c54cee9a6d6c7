"""Scripted stand-ins for a session's tools, and short cuts to feed one."""

from dataclasses import replace

import msgspec
import numpy as np

from transcription.core.capacity.admission import Admitted
from transcription.core.config import SessionConfig, VadConfig
from transcription.core.contract.jobs import Job, Kind, Transcript
from transcription.core.protocol import ServerMessage
from transcription.core.session.effects import Effect, Resend, Send, StoreAudio, Submit
from transcription.core.session.endpointing import WINDOW
from transcription.core.session.recognition import Tools
from transcription.core.session.session import Session

FAST = SessionConfig(
    vad=VadConfig(min_speech_ms=64, min_silence_ms=96, pre_roll_ms=64, speculate_ms=0),
    max_utterance_s=1.0,
    partial_interval_ms=100,
    result_timeout_s=5.0,
    idle_timeout_s=60.0,
)


HUM = b"\x00\x10" * WINDOW
"""A window that is not digital silence, which the VAD would not be asked about."""


class ScriptedVad:
    """Hears speech while `speaking` is true."""

    def __init__(self) -> None:
        self.speaking = False

    def __call__(self, pcm: bytes) -> float:
        assert len(pcm) == 2 * WINDOW
        return 1.0 if self.speaking else 0.0


class Halver:
    """A 'resampler': of 32 kHz every other sample, of 24 kHz two of three, of 8 kHz each twice; holds nothing back."""

    def __init__(self, rate: int) -> None:
        assert rate in (8_000, 24_000, 32_000)
        self._step = rate / 16_000

    def __call__(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2")
        return samples[np.arange(0, samples.size, self._step).astype(int)].tobytes()

    def drain(self) -> bytes:
        return b""


class Talk:
    """A session with its VAD in hand and a clock of its own."""

    def __init__(self, config: SessionConfig = FAST, *, redis_up: bool = True) -> None:
        self.redis_up = redis_up
        self.vad = ScriptedVad()
        self.now = 100.0
        self.session = Session("uid", config, Tools(vad=lambda rate: self.vad, resampler=Halver), self.now)
        self.sent: list[ServerMessage] = []
        self.jobs: list[Job] = []
        self.stored: list[StoreAudio] = []
        self.resent: list[Resend] = []

    def take(self, effects: list[Effect]) -> list[Effect]:
        for effect in effects:
            match effect:
                case Send(message=message):
                    self.sent.append(message)
                case Submit(job=job):
                    self.jobs.append(job)
                case Resend(job=job):
                    self.jobs.append(job)
                    self.resent.append(effect)
                case StoreAudio():
                    self.stored.append(effect)
                    if self.redis_up:
                        self.session.audio_stored(effect.segment_id, len(effect.pcm) // 2)
        return effects

    def text(self, message: str) -> list[Effect]:
        return self.take(self.session.receive_text(message, self.now))

    def start(self, config: str = "{}") -> None:
        self.text(f'{{"type": "start_session", "session_id": "s", "config": {config}}}')
        self.take(self.session.receive_admission(Admitted(), self.now))

    def windows(self, count: int, *, speaking: bool) -> None:
        """Hear so many windows of 32 ms, in real time."""
        self.vad.speaking = speaking
        for _ in range(count):
            self.now += WINDOW / 16_000
            self.take(self.session.receive_audio(HUM, self.now))

    def answer(self, job: Job, text: str = "olá", **fields: object) -> None:
        self.now += 0.01
        self.take(self.session.receive_result(transcript(job, text, **fields), self.now))

    def final(self) -> Job:
        """The last final asked for."""
        return [job for job in self.jobs if job.kind is Kind.FINAL][-1]

    def kinds(self) -> list[str]:
        """The messages sent so far, by type; VAD events by state."""
        return [getattr(message, "state", None) or message.__struct_config__.tag for message in self.sent]


def transcript(job: Job, text: str = "olá", **fields: object) -> Transcript:
    """A worker's answer."""
    answer = Transcript(
        job_id=job.job_id,
        segment_id=job.segment_id,
        kind=job.kind,
        text=text,
        confidence=0.9,
        words=[],
        audio_end=job.end or job.start + 16_000,
        preprocess_ms=1.0,
        inference_ms=5.0,
        postprocess_ms=0.5,
    )
    return msgspec.structs.replace(answer, **fields)


def with_vad(config: SessionConfig, **fields: object) -> SessionConfig:
    """A configuration with other VAD options."""
    return replace(config, vad=replace(config.vad, **fields))
