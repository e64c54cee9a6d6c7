"""Whisper STT as a speech-to-text plugin for LiveKit Agents."""

from clients.livekit_plugin.stt import WhisperStream, WhisperSTT

__all__ = ["WhisperSTT", "WhisperStream"]
