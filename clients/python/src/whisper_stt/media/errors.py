"""What keeps an input from being read."""

from whisper_stt.errors import WhisperSttError


class MediaError(WhisperSttError):
    """An input that cannot be read as audio."""
