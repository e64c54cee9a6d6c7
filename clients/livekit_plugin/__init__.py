"""Whisper STT as a speech-to-text plugin for LiveKit Agents."""

from livekit.agents import Plugin

from .stt import WhisperStream, WhisperSTT
from .version import __version__

__all__ = ["WhisperSTT", "WhisperStream", "__version__"]


class _WhisperPlugin(Plugin):
    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__)


Plugin.register_plugin(_WhisperPlugin())
