"""Recordings and streams as FFmpeg reads them (PyAV): from bytes to PCM of one form. What is damaged is left out."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import av
import av.error
from av import Codec, CodecContext, Packet
from av.audio.resampler import AudioResampler
from av.codec.codec import UnknownCodecError

from transcription.core.dialects.recordings import Samples

CONTAINERS = "aac,amr,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,ogg,wav"
"""What is looked for. FFmpeg knows playlists too, which would have it open files and addresses of this host."""
SAFE = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
LIVE = {"protocol_whitelist": "none", "probesize": "2048"}
"""Of a stream whose kind is known: little is read before its first audio is given."""
RAW = {"linear16": "s16le", "linear32": "f32le", "mulaw": "mulaw", "alaw": "alaw"}
"""Samples without a container, by Deepgram's names: FFmpeg's."""
LAYOUTS = {1: "mono", 2: "stereo"}
RATES = range(1_000, 768_001)
"""Samples a second that audio may have: to resample from others takes FFmpeg gigabytes, however small the recording."""
FAILURES = 20
"""Reads in a row that may fail before the rest is given up."""
OPUS, OPUS_RATE = "packets of opus", 48_000
"""A stream without a container, and the rate (Hz) that Opus is decoded at."""


class NotAudio(Exception):
    """The recording cannot be read; the message is fit for who sent it."""


def open_container(file: Any, demuxer: str = "") -> Any:
    """What a container holds, of any kind or of the one that is known. Raises `NotAudio`."""
    return _open(file, demuxer or None, LIVE if demuxer else SAFE)


def open_samples(file: Any, samples: Samples) -> Any:
    """Samples without a container. Raises `NotAudio`."""
    layout = LAYOUTS.get(samples.channels, f"{samples.channels}c")
    return _open(file, RAW[samples.encoding], {"sample_rate": str(samples.rate), "ch_layout": layout})


def _open(file: Any, demuxer: str | None, options: dict[str, str]) -> Any:
    options = options | {"codec_whitelist": _audio_codecs()}
    try:
        container = av.open(file, format=demuxer, options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError):
        raise NotAudio("Expected a recording: wav, mp3, m4a, mp4, ogg, webm or flac") from None
    if not container.streams.audio:
        container.close()
        raise NotAudio("The recording holds no audio")
    return container


@cache
def _audio_codecs() -> str:
    """All that decode audio. FFmpeg would decode a cover or a film's first pictures too, which may take gigabytes."""
    return ",".join(name for name in sorted(av.codecs_available) if _decodes_audio(name))


def _decodes_audio(name: str) -> bool:
    try:
        return Codec(name, "r").type == "audio"
    except UnknownCodecError:  # it only encodes
        return False


def pcm_of(frames: Iterator[Any], rate: int, channels: int = 1) -> Iterator[bytes]:
    """What was decoded (16 bits, a sample of each channel in turn), resampled over every change of format.

    Raises `NotAudio` for a rate or for channels that cannot be resampled.
    """
    resampler, form = AudioResampler("s16", LAYOUTS[channels], rate), None
    for frame in frames:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != form and frame.sample_rate not in RATES:
            raise NotAudio(f"Expected audio of {RATES[0]} to {RATES[-1]} samples a second, got {frame.sample_rate}")
        if form and now != form:
            yield from map(bytes_of, resampler.resample(None))
            resampler = AudioResampler("s16", LAYOUTS[channels], rate)
        form = now
        try:
            resampled = resampler.resample(frame)
        except av.error.ArgumentError:
            count = frame.layout.nb_channels
            raise NotAudio(f"Expected channels that can be mixed, as up to 8 can, got {count}") from None
        yield from map(bytes_of, resampled)
    if form:
        yield from map(bytes_of, resampler.resample(None))


def bytes_of(frame: Any) -> bytes:
    """A frame's samples (16 bits)."""
    return bytes(frame.planes[0])[: frame.samples * 2 * frame.layout.nb_channels]


def frames_of(container: Any) -> Iterator[Any]:
    """All that can be decoded of a container's first stream of audio."""
    stream, failures = container.streams.audio[0], 0
    while failures < FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                try:
                    yield from packet.decode()
                except av.error.FFmpegError:
                    continue
            break
        except av.error.FFmpegError:
            failures += 1


def opus_frames(packets: Iterator[bytes]) -> Iterator[Any]:
    """What packets of Opus hold. Raises `NotAudio` for too many in a row that are none."""
    decoder, failures = CodecContext.create("opus", "r"), 0
    decoder.sample_rate, decoder.layout = OPUS_RATE, "mono"
    for packet in packets:
        try:
            yield from decoder.decode(Packet(packet))
            failures = 0
        except av.error.FFmpegError:
            failures += 1
            if failures == FAILURES:
                raise NotAudio("Expected a packet of Opus in each frame, or Opus in a container") from None
