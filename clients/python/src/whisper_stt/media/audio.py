"""`Audio`: an input, decoded."""

import os
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Self

from whisper_stt.media import parts
from whisper_stt.media.errors import MediaError
from whisper_stt.media.source import Source
from whisper_stt.session.words import _

SAMPLE_RATE = 16_000
RATES = range(1_000, 768_001)
"""Samples a second that a recording may have: to resample from others takes FFmpeg gigabytes."""
BLOCK = SAMPLE_RATE // 2
"""Samples given at a time: half a second."""
TRIES = 20
"""Reads in a row that may fail before the rest of a part is given up."""


class Audio:
    """An input, open for reading. Iterating decodes it: 16-bit PCM at 16 kHz, mono or several channels, block by block.

    What is damaged is left out, and the rest goes on: see `damage`.
    """

    def __init__(
        self, source: str | os.PathLike[str] | BinaryIO, *, channel: int | None = None, channels: int = 1
    ) -> None:
        """Open an input.

        Args:
            source: a path, also of a pipe; `-` for standard input; or a file object opened in binary mode.
            channel: which one to hear, counting from 1; left out, all of them, mixed.
            channels: of more than 1 the first so many are given, a sample of each in turn.

        Raises `MediaError` for what cannot be opened, holds no audio or lacks the channels.
        """
        _require_av()
        self._source = Source(source)
        self._channel, self._channels = channel, channels
        self.name = self._source.name
        self.seconds: float | None = None
        """How long it is, if it says so."""
        self.damage: str | None = None
        """What of it could not be read, in words; None while all of it could. Known once it is read to its end."""
        self._heard = 0
        """Samples given."""
        self._iterated = False
        try:
            self._part, self._container = self._first()
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        from whisper_stt.media.mixing import Mixer

        mixer = Mixer(self._channel)
        self._iterated = True
        try:
            while self._container:
                for samples in _gathered(self._samples()):
                    self._heard += len(samples)
                    yield (mixer.mix(samples) if self._channels == 1 else self._apart(samples)).tobytes()
                self._next()
        finally:
            self._iterated = False
            self.close()
        if not self._heard:
            told = _("{name}: holds no audio").format(name=self.name)
            raise MediaError(f"{told} ({self.damage})" if self.damage else told)

    def close(self) -> None:
        """Close what was opened. What is iterated closes when that ends: FFmpeg may be reading it in another thread."""
        if self._iterated:
            return
        if self._container:
            self._container.close()
            self._container = None
        self._source.close()

    # Parts

    def _first(self) -> tuple[parts.Part | None, Any]:
        import av

        if whole := self._source.rewindable():
            with suppress(av.error.FFmpegError, OSError), av.open(whole, "r", metadata_errors="ignore") as container:
                if container.duration:
                    self.seconds = container.duration / av.time_base
            self._source.rewind()
        part = parts.next_part(self._source)
        if part is None and not parts.streamable(self._source):
            self._source.spool()
        container = self._opened(part or self._source.rewindable() or self._source)
        has = container.streams.audio[0].channels
        if self._channel is not None and not 1 <= self._channel <= has:
            container.close()
            told = _("{name}: there is no channel {channel}, expected 1 to {most}")
            raise MediaError(told.format(name=self.name, channel=self._channel, most=has))
        if self._channels > has:
            container.close()
            told = _("{name}: has {count} channel, expected {most} to hear apart")
            raise MediaError(told.format(name=self.name, count=has, most=self._channels))
        return part, container

    def _next(self) -> None:
        """Go on with the file that follows in the input, if any."""
        self._container.close()
        self._container = None
        if self._part is None:  # FFmpeg has read all of it
            return
        if self._part.damage:
            self._note(self._part.damage)
        try:
            self._part = parts.next_part(self._source)
            if self._part:
                self._container = self._opened(self._part)
        except (MediaError, OSError) as error:
            self._note(_("from {at} on it cannot be read: {reason}").format(at=self._clock(), reason=_reason(error)))

    def _opened(self, file: Any) -> Any:
        import av

        try:
            container = av.open(file, metadata_errors="ignore", options=getattr(file, "options", {}))
        except (av.error.FFmpegError, OSError) as error:
            told = _("{name}: is not audio that can be read ({reason})")
            raise MediaError(told.format(name=self.name, reason=_reason(error))) from None
        stream = next(iter(container.streams.audio), None)
        if stream and stream.channels and stream.rate in RATES:
            return container
        container.close()
        if not stream or not stream.channels:
            raise MediaError(_("{name}: holds no audio").format(name=self.name))
        told = _("{name}: expected {least} to {most} samples a second, got {rate}")
        raise MediaError(told.format(name=self.name, least=RATES[0], most=RATES[-1], rate=stream.rate))

    # Samples

    def _samples(self) -> Iterator[Any]:
        """A part's samples at our rate, as arrays of (samples, channels): resampled across every change of format."""
        import av

        resampler: Any = None
        form = None
        for frame in self._frames():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != form:
                if resampler:
                    yield from _arrays(resampler.resample(None))
                resampler, form = av.AudioResampler("s16", frame.layout, SAMPLE_RATE), now
            yield from _arrays(resampler.resample(frame))
        if resampler:
            yield from _arrays(resampler.resample(None))

    def _frames(self) -> Iterator[Any]:
        """What can be decoded of a part."""
        import av

        failures = 0
        stream = self._container.streams.audio[0]
        while failures < TRIES:
            try:
                for packet in self._container.demux(stream):
                    failures = 0
                    try:
                        frames = packet.decode()
                    except av.error.FFmpegError:
                        told = _("damaged at {at}, what cannot be decoded is left out")
                        self._note(told.format(at=self._clock()))
                        continue
                    yield from frames
                break
            except av.error.FFmpegError as error:
                failures += 1
                told = _("damaged at {at} ({reason}), what cannot be decoded is left out")
                self._note(told.format(at=self._clock(), reason=_reason(error)))
            except OSError as error:
                self._note(
                    _("from {at} on it cannot be read: {reason}").format(at=self._clock(), reason=_reason(error))
                )
                break

    def _apart(self, samples: Any) -> Any:
        """The channels that are heard each by itself; where a part of the input lacks some they are silent."""
        import numpy as np

        missing = max(self._channels - samples.shape[1], 0)
        return np.pad(samples[:, : self._channels], ((0, 0), (0, missing)))

    def _note(self, damage: str) -> None:
        self.damage = self.damage or damage

    def _clock(self) -> str:
        minutes, seconds = divmod(self._heard // SAMPLE_RATE, 60)
        return f"{minutes}:{seconds:02}"


def _gathered(arrays: Iterator[Any]) -> Iterator[Any]:
    """Samples in blocks of one number of channels."""
    import numpy as np

    gathered: list[Any] = []
    for array in arrays:
        if gathered and array.shape[1] != gathered[0].shape[1]:
            yield np.concatenate(gathered)
            gathered.clear()
        gathered.append(array)
        if sum(map(len, gathered)) >= BLOCK:
            yield np.concatenate(gathered)
            gathered.clear()
    if gathered:
        yield np.concatenate(gathered)


def _arrays(frames: list[Any]) -> Iterator[Any]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1, frame.layout.nb_channels)


def _require_av() -> None:
    try:
        import av
        import numpy as np
    except ImportError:
        raise MediaError(_("recordings need PyAV and NumPy: pip install av numpy")) from None
    del av, np


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
