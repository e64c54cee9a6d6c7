"""Recordings as 16 kHz mono PCM, whatever they are and wherever they come from (the extra `cli`)."""

from whisper_stt.media.audio import SAMPLE_RATE, Audio
from whisper_stt.media.errors import MediaError

__all__ = ["SAMPLE_RATE", "Audio", "MediaError"]
