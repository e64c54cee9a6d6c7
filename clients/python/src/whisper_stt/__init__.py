"""Client of Whisper STT.

async with whisper_stt.connect("ws://localhost:8000/ws/stt", language="pt") as stream:
    await stream.send(pcm)          # 16-bit mono, again and again
    await stream.end()
    async for event in stream:      # VadEvent, PartialTranscript, FinalTranscript, ServerError
        ...

transcript = whisper_stt.transcribe_file("speech.wav")
"""

from whisper_stt.errors import ConnectError, ProtocolError, RefusedError, SegmentsLostError, WhisperSttError
from whisper_stt.files import Transcript, transcribe, transcribe_file
from whisper_stt.media import MediaError
from whisper_stt.messages import Event, FinalTranscript, PartialTranscript, ServerError, Timing, VadEvent, Word
from whisper_stt.options import connect
from whisper_stt.stream import Stream

__all__ = [
    "ConnectError",
    "Event",
    "FinalTranscript",
    "MediaError",
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
