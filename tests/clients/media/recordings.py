"""Recordings for the reader under test, in the formats and states that people have them in."""

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np

RATE = 16_000


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE) -> np.ndarray:
    """A sine at half of full scale."""
    return (16_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Samples of one channel, or of several as columns."""
    with io.BytesIO() as buffer, wave.open(buffer, "wb") as audio:
        audio.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(samples.tobytes())
        return buffer.getvalue()


def with_sizes(recording: bytes, riff: int, data: int) -> bytes:
    """A WAV whose header says something else of its lengths."""
    return recording[:4] + struct.pack("<I", riff) + recording[8:40] + struct.pack("<I", data) + recording[44:]


def encoded(samples: np.ndarray, kind: str, codec: str, rate: int, layout: str = "mono", **options: str) -> bytes:
    """Samples at `rate` as another format; in stereo, both channels are the same."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        channels = np.repeat(samples, 2) if layout == "stereo" else samples
        frame = av.AudioFrame.from_ndarray(channels.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, layout, rate, stream.codec_context.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def picture() -> bytes:
    """A file that FFmpeg knows, without sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def written(path: Path, content: bytes) -> Path:
    """`content` in a file."""
    path.write_bytes(content)
    return path
