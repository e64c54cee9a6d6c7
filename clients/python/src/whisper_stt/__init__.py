"""Client of Whisper STT.

async with whisper_stt.connect("ws://localhost:8000/ws/stt", language="pt") as stream:
    stream.feed(source)             # pieces of 16-bit mono PCM; or `send` them, again and again, and `end`
    async for event in stream:      # VadEvent, PartialTranscript, FinalTranscript, ServerError
        ...

transcript = whisper_stt.transcribe_file("speech.wav")
"""

from whisper_stt.errors import (
    ConnectError,
    EndedError,
    NobodyListensError,
    OptionError,
    ProtocolError,
    RefusedError,
    SegmentsLostError,
    WhisperSttError,
)
from whisper_stt.files import Transcript, transcribe, transcribe_file
from whisper_stt.media import Audio, MediaError
from whisper_stt.options import connect
from whisper_stt.session.messages import (
    Entity,
    Event,
    FinalTranscript,
    PartialTranscript,
    ServerError,
    Timing,
    VadEvent,
    Word,
)
from whisper_stt.stream import Stream

__all__ = [
    "Audio",
    "ConnectError",
    "EndedError",
    "Entity",
    "Event",
    "FinalTranscript",
    "MediaError",
    "NobodyListensError",
    "OptionError",
    "PartialTranscript",
    "ProtocolError",
    "RefusedError",
    "SegmentsLostError",
    "ServerError",
    "Stream",
    "Timing",
    "Transcript",
    "VadEvent",
    "WhisperSttError",
    "Word",
    "connect",
    "transcribe",
    "transcribe_file",
]
