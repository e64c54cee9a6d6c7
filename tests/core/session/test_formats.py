"""What is sent in place of 16-bit mono PCM is named; sound, noise and silence are not."""

import base64
import json
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from harness.audio import speech
from harness.telephone import alaw, mulaw
from tests.core.session.fakes import FAST, Talk
from transcription.core.encodings import Encoding
from transcription.core.protocol import Error
from transcription.core.session.formats import ENOUGH, format_of
from transcription.core.session.laws import guess_law
from transcription.core.session.readings import guess

SPEECH = np.frombuffer(speech("s13_pm_alex"), dtype="<i2")[:48_000]
OTHER = np.frombuffer(speech("s06_pf_dora"), dtype="<i2")[:48_000]
RNG = np.random.default_rng(0)
LONG = (SPEECH.astype("<i4") << 16) + RNG.integers(0, 65_536, SPEECH.size, dtype="<i4")


def found(raw: bytes, rate: int = 16_000, frame: int = 640, encoding: Encoding = Encoding.PCM_S16LE) -> str | None:
    """What a stream of these bytes looks like."""
    look = format_of(rate, encoding).look
    frames = (raw[i : i + frame] for i in range(0, len(raw) // 2 * 2, frame))
    return next((said for part in frames if (said := look(part))), None)


def turns(*channels: NDArray[np.int16]) -> bytes:
    return np.stack(channels, axis=1).astype("<i2").tobytes()


def wave(rate: int, channels: int = 1, bits: int = 16, tag: int = 1) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    return b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + bytes(4)


@pytest.mark.parametrize(
    ("raw", "rate", "said"),
    [
        ((SPEECH / 32768).astype("<f4").tobytes(), 16_000, "32-bit float"),
        (np.repeat(SPEECH, 2).tobytes(), 16_000, "stereo: two channels"),
        (np.stack([SPEECH, np.zeros_like(SPEECH)], axis=1).tobytes(), 16_000, "one silent channel"),
        ((SPEECH.astype(np.int32) << 16).tobytes(), 16_000, "32-bit samples"),
        (SPEECH.byteswap().tobytes(), 16_000, "big-endian"),
        (((SPEECH >> 8) + 128).astype(np.uint8).tobytes(), 16_000, "unsigned 8-bit"),
        ((SPEECH >> 8).astype(np.int8).tobytes(), 16_000, "signed 8-bit"),
        (mulaw(SPEECH[::2]), 8_000, "mu-law"),
        (b"\x7f" * 8_000 + mulaw(SPEECH[::2]), 8_000, "mu-law"),
        (b"\xd5" * 8_000 + alaw(SPEECH[::2]), 8_000, "A-law"),
        ((SPEECH / 32768).astype(">f4").tobytes(), 16_000, "32-bit float samples, big-endian"),
        ((SPEECH / 32768).astype("<f8").tobytes(), 16_000, "64-bit float"),
        (SPEECH.astype("<f4").tobytes(), 16_000, "32-bit float"),
        (LONG.tobytes(), 16_000, "32-bit samples"),
        (LONG.byteswap().tobytes(), 16_000, "32-bit samples, big-endian"),
        (LONG.byteswap().view(np.uint8).reshape(-1, 4)[:, :3].tobytes(), 16_000, "24-bit samples, big-endian"),
        (LONG.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes(), 16_000, "packed 24-bit samples"),
        (turns(SPEECH, np.roll(OTHER, 5_000)), 16_000, "stereo: two channels"),
        (turns(SPEECH, SPEECH // 2), 16_000, "stereo: two channels"),
        (turns(SPEECH, -SPEECH), 16_000, "stereo: two channels"),
        (turns(SPEECH, 0 * SPEECH, 0 * SPEECH, 0 * SPEECH), 16_000, "4 channels"),
        (base64.b64encode(SPEECH.tobytes()), 16_000, "base64 text"),
        (SPEECH.tobytes().hex().encode(), 16_000, "hexadecimal text"),
        (b"data:audio/wav;base64," + base64.b64encode(SPEECH.tobytes()), 16_000, "data URL"),
        (json.dumps(SPEECH.tolist()).encode(), 16_000, "JSON"),
        (b"OggS" + RNG.bytes(900), 16_000, "Ogg"),
        (b"\x1aE\xdf\xa3" + RNG.bytes(900), 48_000, "WebM"),
        (bytes(4) + b"ftypisom" + RNG.bytes(900), 16_000, "MP4"),
        (b"fLaC" + RNG.bytes(900), 16_000, "FLAC"),
        (b"ID3" + RNG.bytes(900), 16_000, "MP3"),
        (RNG.bytes(100) + 30 * (b"\xff\xfb\x90\x00" + RNG.bytes(413)), 16_000, "MP3"),
        (60 * (b"\xff\xf3\x48\xc0" + RNG.bytes(140)), 16_000, "MP3"),
        (60 * (b"\xff\xf1\x60\x40\x20\x1f" + RNG.bytes(250)), 16_000, "AAC"),
        (60 * (b"\x56\xe0\xc8" + RNG.bytes(200)), 16_000, "AAC (LATM)"),
        (60 * (b"\x47\x01\x00\x10" + RNG.bytes(184)), 16_000, "MPEG transport stream"),
        (b"riff\x2e\x91\xcf\x11" + RNG.bytes(900), 16_000, "W64"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + RNG.bytes(900), 16_000, "WMA"),
        (b"RF64" + b"\xff" * 4 + b"WAVEds64\x1c" + bytes(31) + wave(48_000)[12:], 16_000, "WAV file of 48000 Hz"),
        (bytes(50_000) + wave(44_100), 16_000, "WAV file of 44100 Hz"),
        (bytes(640) + b"OggS" + RNG.bytes(900), 16_000, "Ogg"),
        (wave(44_100), 16_000, "WAV file of 44100 Hz, 1 channel, 16-bit"),
        (wave(16_000, channels=2), 16_000, "2 channels"),
        (wave(16_000, bits=32, tag=3), 16_000, "float"),
    ],
)
def test_other_formats_are_named(raw: bytes, rate: int, said: str) -> None:
    assert said in (found(raw, rate) or "")


def tone(hertz: float) -> NDArray[np.float64]:
    return 8_000 * np.sin(2 * np.pi * hertz * np.arange(32_000) / 16_000)


NOT_WRONG = pytest.mark.parametrize(
    "samples",
    [
        SPEECH,
        RNG.normal(0, 3_000, 32_000),
        np.clip(RNG.normal(0, 60_000, 32_000), -32_768, 32_767),
        np.diff(RNG.normal(0, 3_000, 32_001)),
        np.frombuffer(RNG.bytes(64_000), "<i2"),
        tone(425),
        tone(770) + tone(1336),
        tone(4_000),
        tone(7_900),
        np.full(32_000, 5_000),
        RNG.normal(15_000, 300, 32_000),
        RNG.normal(9_830, 30, 32_000),
        np.clip(SPEECH * 100.0, -16_384, 16_384),
        tone(4_000) + tone(50) / 10,
        tone(7_900) + SPEECH[:32_000],
        tone(4_001),
        np.diff(SPEECH, prepend=0) * 2.0,
        np.zeros(32_000),
        RNG.normal(0, 3, 32_000),
    ],
    ids=[
        "speech",
        "white",
        "clipped",
        "blue",
        "any",
        "dial",
        "dtmf",
        "4 kHz",
        "7.9 kHz",
        "dc",
        "dc 15000",
        "hiss on dc",
        "clipped at half",
        "4 kHz and hum",
        "7.9 kHz and speech",
        "4001 Hz",
        "pre-emphasis",
        "zeros",
        "quiet",
    ],
)


@NOT_WRONG
def test_what_may_be_sound_is_left_alone(samples: NDArray[np.float64]) -> None:
    """Speech, noises, tones, silence, whatever the frames."""
    raw = samples.astype("<i2").tobytes()

    assert found(raw) is None
    assert found(wave(16_000) + raw, frame=2) is None


@NOT_WRONG
@pytest.mark.parametrize(("encode", "encoding"), [(mulaw, Encoding.MULAW), (alaw, Encoding.ALAW)])
def test_what_may_be_a_telephone_s_sound_is_left_alone(
    samples: NDArray[np.float64], encode: Callable[[NDArray[np.int16]], bytes], encoding: Encoding
) -> None:
    """The same in G.711; its header, too, where it agrees."""
    raw = encode(samples.astype("<i2"))

    assert found(raw, encoding=encoding) is None
    assert found(wave(16_000, bits=8, tag=7 if encode is mulaw else 6) + raw, encoding=encoding) is None


@pytest.mark.parametrize(
    ("raw", "declared", "said"),
    [
        (SPEECH[::2].tobytes(), Encoding.MULAW, "16-bit little-endian mono PCM"),
        (SPEECH[::2].tobytes(), Encoding.ALAW, "16-bit little-endian mono PCM"),
        (bytes(32_000) + SPEECH[::2].tobytes(), Encoding.MULAW, "16-bit little-endian mono PCM"),
        (alaw(SPEECH[::2]), Encoding.MULAW, "mono A-law (G.711)"),
        (mulaw(SPEECH[::2]), Encoding.ALAW, "mono mu-law (G.711)"),
        (b"\xff" * 8_000 + mulaw(SPEECH[::2]), Encoding.ALAW, "mono mu-law (G.711)"),
        (b"OggS" + RNG.bytes(900), Encoding.MULAW, "an Ogg file (Opus or Vorbis)"),
        (wave(8_000, bits=8, tag=7), Encoding.ALAW, "a WAV file of 8000 Hz, 1 channel, mu-law"),
        (wave(8_000), Encoding.MULAW, "a WAV file of 8000 Hz, 1 channel, 16-bit"),
        (wave(16_000, bits=8, tag=7), Encoding.MULAW, "a WAV file of 16000 Hz, 1 channel, mu-law"),
    ],
)
def test_what_is_not_the_declared_telephone_encoding_is_named(raw: bytes, declared: Encoding, said: str) -> None:
    """Also after a second of silence, which looks like nothing."""
    assert found(raw, 8_000, 320, declared) == said


def test_hiss_in_g711_is_not_taken_for_pcm() -> None:
    """Every other one of its codes is smooth, as the high bytes of PCM are."""
    hiss = np.diff(RNG.normal(0, 150, 32_000), n=8).astype("<i2")

    assert guess_law(mulaw(hiss), Encoding.MULAW) is None
    assert guess_law(alaw(hiss), Encoding.ALAW) is None


def test_it_is_said_once_and_what_is_no_audio_at_all_is_not_heard() -> None:
    """With what was expected; a compressed file's bytes would only be invented into words."""
    talk = Talk()
    talk.start()
    for start, frames in ((b"OggS" + RNG.bytes(1020), 1), (RNG.bytes(1024), 20)):
        talk.vad.speaking = True
        for _ in range(frames):
            talk.take(talk.session.receive_audio(start, talk.now))
    (told,) = [message for message in talk.sent if isinstance(message, Error)]

    assert told.message == (
        "The audio looks like an Ogg file (Opus or Vorbis): expected 16-bit little-endian mono PCM at 16000 Hz, "
        "without a header; it is not heard"
    )
    assert talk.jobs == []


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("decibels", [-60, -40, -20, 0, 30])
def test_speech_of_any_level_is_left_alone(rate: int, decibels: int) -> None:
    """Soft, loud and clipped, with some hiss."""
    for clip in (SPEECH, OTHER):
        sound = soxr.resample(clip / np.abs(clip).max(), 16_000, rate) * 32_767 * 10 ** (decibels / 20)
        noisy = sound + RNG.normal(0, 0.01 * np.abs(sound).max(), sound.size)
        assert [found(np.clip(one, -32_768, 32_767).astype("<i2").tobytes(), rate) for one in (sound, noisy)] == [
            None
        ] * 2


def test_a_control_message_in_a_binary_frame_is_told_and_not_heard() -> None:
    """However late it comes, and whatever its length: samples stay in their phase. Braces in audio are audio."""
    talk = Talk()
    talk.start()
    talk.take(talk.session.receive_audio(SPEECH[:16_000].tobytes(), talk.now))
    before = talk.session.audio_ms
    talk.take(talk.session.receive_audio(b'{"type": "end_session"}', talk.now))
    (told,) = [message for message in talk.sent if isinstance(message, Error)]

    assert told.message == "A control message in a binary frame: expected a text frame"
    assert talk.session.audio_ms == before

    talk.take(talk.session.receive_audio(b'{"' + bytes(638), talk.now))
    assert talk.session.audio_ms == before + 20


@pytest.mark.parametrize("change", [lambda raw: raw, lambda raw: raw[: 2 * ENOUGH]], ids=["all", "enough"])
def test_a_guess_takes_no_more_than_half_a_second(change: Callable[[bytes], bytes]) -> None:
    assert guess(change((SPEECH / 32768).astype("<f4").tobytes())) == "32-bit float samples"
    assert FAST.sample_rate == 2 * ENOUGH
