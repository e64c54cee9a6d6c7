"""Audio files as 16 kHz mono PCM: WAV by the standard library, everything else by PyAV (`whisper-stt-client[cli]`)."""

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whisper_stt.errors import WhisperSttError

SAMPLE_RATE = 16_000
BLOCK = 16_000
"""Bytes of PCM given at a time: half a second."""


class MediaError(WhisperSttError):
    """A file that cannot be read as audio."""


class Audio:
    """An input, open for reading: `-` is standard input. Iterating decodes it, block by block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds: float | None = None
        """How long it is, if it says so."""
        # Unbuffered: a thread that waits for a buffered stdin keeps the interpreter from exiting.
        self._source: str | io.FileIO = io.FileIO(0, closefd=False) if name == "-" else name
        self._wave = self._plain_wave()
        self._container: Any = None
        if self._wave:
            self.seconds = self._wave.getnframes() / SAMPLE_RATE
        else:
            self._open()

    def __iter__(self) -> Iterator[bytes]:
        if self._wave:
            with self._wave as audio:
                while block := audio.readframes(BLOCK // 2):
                    yield block
        else:
            yield from self._decoded()

    def _plain_wave(self) -> wave.Wave_read | None:
        """The input, if it needs no decoding."""
        if self.name == "-":
            return None
        try:
            audio: wave.Wave_read = wave.open(self.name)  # noqa: SIM115 - closed by whoever iterates
        except OSError as error:
            raise MediaError(f"{self.name}: {error.strerror or error}") from None
        except (wave.Error, EOFError):
            return None
        if (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) == (SAMPLE_RATE, 1, 2):
            return audio
        audio.close()
        return None

    def _open(self) -> None:
        try:
            import av
        except ImportError:
            raise MediaError(
                f"{self.name}: not a 16 kHz mono 16-bit WAV; for others, pip install 'whisper-stt-client[cli]'"
            ) from None
        try:
            self._container = av.open(self._source, metadata_errors="ignore")
            if not self._container.streams.audio:
                raise MediaError(f"{self.name}: holds no audio")
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{self.name}: {_reason(error)}") from None
        if self._container.duration and self.name != "-":
            self.seconds = self._container.duration / av.time_base

    def _decoded(self) -> Iterator[bytes]:
        import av

        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        pcm = io.BytesIO()
        with self._container as container:
            try:
                for frame in container.decode(container.streams.audio[0]):
                    yield from _blocks(resampler.resample(frame), pcm)
                yield from _blocks(resampler.resample(None), pcm)
            except (av.error.FFmpegError, OSError) as error:
                raise MediaError(f"{self.name}: {_reason(error)}") from None
        if rest := pcm.getvalue():
            yield rest


def is_file(name: str) -> bool:
    """Whether a name on the command line is that of a file."""
    return name != "-" and Path(name).is_file()


def _blocks(frames: list[Any], pcm: io.BytesIO) -> Iterator[bytes]:
    for frame in frames:
        pcm.write(bytes(frame.planes[0])[: frame.samples * 2])
    if pcm.tell() >= BLOCK:
        yield pcm.getvalue()
        pcm.seek(0)
        pcm.truncate()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
