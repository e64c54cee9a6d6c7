"""A client's session with a test for its service."""

import json
import math
from typing import Any

from model_service import TIMING
from whisper_stt.session import Config, Happening, Session, Wait

CONFIG = Config(sample_rate=16_000, vad_enabled=True, partial_results=True, word_timestamps=True)
FAST = math.inf
SECOND = bytes(32_000)


class Talk:
    """A session whose frames are read, and to which a test says what the service says."""

    def __init__(self, config: Config = CONFIG, speed: float = FAST) -> None:
        self.session = Session(config, speed=speed)
        self.now = 100.0

    def connect(self) -> None:
        self.session.connect(self.now, self.now + 10)

    def sent(self) -> list[Any]:
        """What the session wants to send now; of audio, how many samples in a row."""
        frames: list[Any] = []
        while not isinstance(frame := self.session.poll(self.now), Wait):
            if isinstance(frame, str):
                frames.append(json.loads(frame))
            elif frames and isinstance(frames[-1], int):
                frames[-1] += len(frame) // 2
            else:
                frames.append(len(frame) // 2)
        return frames

    def say(self, kind: str, **fields: Any) -> list[Happening]:
        return self.session.receive(json.dumps({"type": kind, "session_id": "s", **fields}), self.now)

    def begin(self, **fields: Any) -> list[Any]:
        """Connect and start; returns what is sent then."""
        self.connect()
        self.sent()
        self.say("session_started", **fields)
        return self.sent()

    def final(self, segment_id: str, start_ms: float, duration_ms: float, **fields: Any) -> list[Happening]:
        fields = {"text": "olá", "confidence": 0.9, "words": [], "timing": TIMING, **fields}
        return self.say(
            "final_transcript", segment_id=segment_id, audio_start_ms=start_ms, audio_duration_ms=duration_ms, **fields
        )

    def speech(self, state: str, segment_id: str) -> None:
        self.say("vad_event", state=f"speech_{state}", t_ms=0.0, segment_id=segment_id)

    def end(self, reason: str, total_ms: float = 0.0) -> list[Happening]:
        return self.say("session_ended", reason=reason, total_audio_ms=total_ms, total_segments=0)


def config_of(language: str) -> Config:
    return Config(sample_rate=16_000, vad_enabled=True, partial_results=True, word_timestamps=True, lang_code=language)
