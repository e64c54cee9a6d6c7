"""Every way in and every kind of file gives the same audio; what cannot be read is told in one sentence."""

import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from recordings import RATE, encoded, picture, tone, wav, with_sizes, written
from whisper_stt import Audio, MediaError

Way = Callable[[bytes, Path], Audio]


def heard(audio: Audio) -> np.ndarray:
    return np.frombuffer(b"".join(audio), np.int16)


def loud(samples: np.ndarray) -> float:
    """Amplitude of a sine, as a share of that of `tone`."""
    return float(np.sqrt(2 * np.mean(samples.astype(float) ** 2)) / 16_000)


def by_path(content: bytes, directory: Path) -> Audio:
    return Audio(written(directory / "recording", content))


def by_object(content: bytes, directory: Path) -> Audio:
    return Audio(io.BytesIO(content))


def by_object_that_only_reads(content: bytes, directory: Path) -> Audio:
    return Audio(SimpleNamespace(read=io.BytesIO(content).read))


def by_fifo(content: bytes, directory: Path) -> Audio:
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=(content,), daemon=True).start()
    return Audio(str(fifo))


WAYS = pytest.mark.parametrize("way", [by_path, by_object, by_object_that_only_reads, by_fifo])
FORMATS = {
    "wav": ("wav", "pcm_s16le", {}),
    "24-bit": ("wav", "pcm_s24le", {}),
    "mp3": ("mp3", "libmp3lame", {}),
    "opus": ("ogg", "libopus", {}),
    "flac": ("flac", "flac", {}),
    "webm": ("webm", "libopus", {}),
    "mp4": ("mp4", "aac", {}),  # its index comes last
    "mp4 in fragments": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "aac": ("adts", "aac", {}),
}


@WAYS
@pytest.mark.parametrize("name", FORMATS)
def test_every_way_in_reads_every_format(way: Way, name: str, tmp_path: Path) -> None:
    kind, codec, options = FORMATS[name]
    content = encoded(tone(6, rate=48_000), kind, codec, 48_000, "stereo", **options)  # longer than FFmpeg's buffer
    audio = way(content, tmp_path)
    samples = heard(audio)

    assert len(samples) / RATE == pytest.approx(6, abs=0.1)
    assert loud(samples[4_000:90_000]) == pytest.approx(1, abs=0.05)
    assert audio.damage is None


@WAYS
@pytest.mark.parametrize(
    ("riff", "data"),
    [(36, 0), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFDB), (4088, 4052), (48_036, 0)],
)
def test_wav_that_was_never_finalised_is_read_to_its_end(way: Way, riff: int, data: int, tmp_path: Path) -> None:
    samples = tone(1.5)
    audio = way(with_sizes(wav(samples), riff, data), tmp_path)
    assert np.array_equal(heard(audio), samples)
    assert audio.damage is None


@WAYS
def test_chunks_after_the_audio_are_no_audio(way: Way, tmp_path: Path) -> None:
    samples = tone(0.5)
    chunks = b"LIST" + struct.pack("<I", 5) + b"INFO!\0" + b"id3 " + struct.pack("<I", 300) + bytes(300)
    assert np.array_equal(heard(way(wav(samples) + chunks, tmp_path)), samples)


@WAYS
def test_wav_shorter_than_it_says_is_damaged(way: Way, tmp_path: Path) -> None:
    samples = tone(2)
    audio = way(wav(samples)[: 44 + RATE * 2 + 1], tmp_path)
    assert np.array_equal(heard(audio), samples[:RATE])
    assert audio.damage == "ends 1.0 s before the end that it promises"


JOINED = [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("wav", "pcm_s16le")]


@pytest.mark.parametrize(("kind", "codec"), JOINED)
@pytest.mark.parametrize("order", ["ab", "ba", "aba"])
def test_recordings_joined_end_to_end(kind: str, codec: str, order: str) -> None:
    """Rate and channels change on the way; nothing is lost."""
    parts = {
        "a": encoded(tone(1, 300, 24_000), kind, codec, 24_000),
        "b": encoded(tone(2, 300, 48_000), kind, codec, 48_000, "stereo"),
    }
    audio = Audio(io.BytesIO(b"".join(parts[part] for part in order)))
    samples = heard(audio)

    assert len(samples) / RATE == pytest.approx(order.count("a") + 2, abs=0.2)
    assert loud(samples) == pytest.approx(1, abs=0.1)
    assert audio.damage is None


def test_tags_are_no_damage() -> None:
    """A picture between two recordings, a title after them."""
    one = encoded(tone(1, 300, 24_000), "mp3", "libmp3lame", 24_000)
    picture = np.random.default_rng(1).bytes(300_000)
    between = b"ID3\4\0\0" + bytes((len(picture) >> shift) & 127 for shift in (21, 14, 7, 0)) + picture
    audio = Audio(io.BytesIO(one + between + one + b"TAG" + bytes(125)))

    assert len(heard(audio)) / RATE == pytest.approx(2, abs=0.15)
    assert audio.damage is None


@pytest.mark.parametrize("name", ["mp3", "aac", "mp4", "opus"])
def test_what_is_damaged_is_left_out(name: str, tmp_path: Path) -> None:
    kind, codec, options = FORMATS[name]
    content = bytearray(encoded(tone(20, rate=48_000), kind, codec, 48_000, **options))
    noise = np.random.default_rng(1).bytes(len(content) // 20)
    content[len(content) // 2 : len(content) // 2 + len(noise)] = noise
    audio = by_path(bytes(content), tmp_path)
    samples = heard(audio)

    assert 17 < len(samples) / RATE < 20.5
    assert loud(samples[-RATE * 8 : -RATE]) == pytest.approx(1, abs=0.05)
    assert audio.damage


def test_file_that_stops_being_readable_keeps_what_was_read() -> None:
    content = io.BytesIO(wav(tone(4)))

    def read(size: int) -> bytes:
        if content.tell() > 100_000:
            raise OSError(5, "Input/output error")
        return content.read(size)

    audio = Audio(SimpleNamespace(read=read))
    assert len(heard(audio)) > RATE * 2
    assert audio.damage is not None and "Input/output error" in audio.damage


@pytest.mark.parametrize("ways", [1, 2])
def test_failure_of_a_file_object_is_its_own(ways: int) -> None:
    """Whether it comes on opening or later."""
    content = io.BytesIO(wav(tone(4)))

    def read(size: int) -> bytes:
        if ways == 1 or content.tell() > 100_000:
            raise LookupError("gone")
        return content.read(size)

    with pytest.raises(LookupError, match="gone"):
        heard(Audio(SimpleNamespace(read=read)))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(1, 1, 1), (1, 0, 1), (0, 1, 1), (1, -1, 1), (1, -0.9, 1), (-0.5, 0.5, 0.5), (1, 0.5, 0.75)],
)
def test_channels_do_not_cancel_each_other_out(left: float, right: float, expected: float) -> None:
    both = np.stack([left * tone(2), right * tone(2)], axis=1).astype(np.int16)
    assert loud(heard(Audio(io.BytesIO(wav(both))))) == pytest.approx(expected, abs=0.02)


def test_channels_that_turn_against_each_other_on_the_way() -> None:
    left, sign = tone(3), np.repeat([1, -1, 1], RATE)
    samples = heard(Audio(io.BytesIO(wav(np.stack([left, left * sign], axis=1).astype(np.int16)))))
    for second in range(3):
        middle = slice(second * RATE + 8_500, (second + 1) * RATE - 1_000)  # beyond the block that holds the turn
        assert loud(samples[middle]) == pytest.approx(1, abs=0.02)


def test_speakers_on_either_side_are_both_heard() -> None:
    one, other = tone(2, 300), tone(2, 470)
    samples = heard(Audio(io.BytesIO(wav(np.stack([one, other], axis=1)))))
    assert np.array_equal(samples, np.rint((one.astype(float) + other) / 2))


def test_one_channel_of_several() -> None:
    three = np.stack([tone(1, hertz) for hertz in (300, 400, 500)], axis=1)
    for channel in (1, 2, 3):
        assert np.array_equal(heard(Audio(io.BytesIO(wav(three)), channel=channel)), three[:, channel - 1])
    for channel in (0, 4, -1):
        with pytest.raises(MediaError, match=rf"there is no channel {channel}, expected 1 to 3$"):
            Audio(io.BytesIO(wav(three)), channel=channel)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "recording: is empty"),
        ("Bom dia.\nIsto é um texto.\n".encode(), "recording: is not audio that can be read"),
        (wav(tone(0)), "recording: holds no audio"),
        (wav(tone(1), 1), "recording: expected 1000 to 768000 samples a second, got 1$"),
        (wav(tone(1), 2_147_483_647), "recording: expected 1000 to 768000 samples a second, got 2147483647"),
        (wav(tone(1))[:22] + bytes(2) + wav(tone(1))[24:], "recording: holds no audio"),
        (wav(tone(1))[:28], "recording: is not audio that can be read"),
        (picture(), "recording: holds no audio"),
        (np.random.default_rng(1).bytes(100_000), "recording: is not audio that can be read"),
    ],
)
def test_what_holds_no_audio(content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=told):
        heard(by_path(content, tmp_path))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="Is a directory"):
        Audio(tmp_path)
    with pytest.raises(MediaError, match="No such file"):
        Audio(tmp_path / "missing.wav")
    with pytest.raises(MediaError, match="gives str, expected bytes"):
        Audio(io.StringIO("text"))
