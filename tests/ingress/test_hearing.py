"""Silero and the resampler, with real audio."""

import subprocess
import sys

import numpy as np
import pytest
import silero_vad
import torch

from harness.audio import noise, silence, speech
from harness.processes import ROOT
from transcription.core.config import SAMPLE_RATE, VadConfig
from transcription.core.session.endpointing import Closed, Opened, SilenceEndpointer
from transcription.core.session.segmenter import Segmenter
from transcription.ingress.resampling import StreamResampler
from transcription.ingress.vad import SileroVad, judge


def windows(pcm: bytes) -> list[bytes]:
    return [pcm[i : i + 1024] for i in range(0, len(pcm) - 1023, 1024)]


def test_speech_is_told_from_silence_and_noise() -> None:
    """Most windows of a clip are speech; none of the others is."""
    for pcm, expected in ((speech("s13_pm_alex"), True), (silence(2.0), False), (noise(2.0), False)):
        vad = SileroVad()
        probabilities = [vad(window) for window in windows(pcm)]

        assert bool(np.mean(np.array(probabilities) > 0.5) > 0.6) is expected
        assert expected or max(probabilities) < 0.5


def test_streams_do_not_disturb_each_other() -> None:
    """The state is the stream's own: interleaved, each gives what it gives alone."""
    clips = [windows(speech(name))[:60] for name in ("s13_pm_alex", "s18_pf_dora")]
    alone = [[vad(window) for window in clip] for clip in clips for vad in [SileroVad()]]
    vads = [SileroVad(), SileroVad()]
    together = [[vad(clip[i]) for vad, clip in zip(vads, clips, strict=True)] for i in range(60)]

    assert [list(stream) for stream in zip(*together, strict=True)] == alone


def test_a_sentence_between_silences_is_one_segment_with_its_first_syllable() -> None:
    """It starts before the speech does, and ends after it."""
    segmenter = Segmenter(SilenceEndpointer(VadConfig(), 30 * 16_000), SileroVad())
    pcm = silence(1.0) + speech("s24_pf_dora") + silence(1.0)
    heard = [happening for i in range(0, len(pcm), 640) for happening in segmenter.feed(pcm[i : i + 640])]
    (opened,) = [happening for happening in heard if isinstance(happening, Opened)]
    (closed,) = [happening for happening in heard if isinstance(happening, Closed)]
    clip = np.abs(np.frombuffer(speech("s24_pf_dora"), "<i2").astype(int)) > 1000
    first, last = 16_000 + clip.argmax(), 16_000 + len(clip) - clip[::-1].argmax()

    assert first - 16_000 < opened.start < first
    assert closed.end > last


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("frame", [2, 160, 4_096])
def test_resampling_a_stream_loses_nothing(rate: int, frame: int) -> None:
    """Whatever the frames: the right length, the same tone, no clicks at the seams."""
    seconds = 0.5 if frame == 2 else 2.0
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype("<i2").tobytes()
    resample = StreamResampler(rate)
    out = b"".join(resample(tone[i : i + 2 * frame]) for i in range(0, len(tone), 2 * frame)) + resample.drain()
    samples = np.frombuffer(out, "<i2").astype(float)
    expected = 10_000 * np.sin(2 * np.pi * 440 * np.arange(samples.size) / 16_000)

    assert samples.size == pytest.approx(seconds * 16_000, abs=2)
    assert np.abs(samples - expected)[800:-800].max() < 150


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_what_is_drained_is_all_there_was_and_nothing_of_it_comes_later(rate: int) -> None:
    """A turn ends where its audio does, at every rate; the next begins with its own."""
    second = (10_000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype("<i2").tobytes()
    resample = StreamResampler(rate)
    turns = [resample(part) + resample.drain() for part in (second, bytes(2 * rate), second)]

    assert [len(turn) // 2 for turn in turns] == pytest.approx([16_000] * 3, abs=2)
    assert not np.frombuffer(turns[1], "<i2").any()


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_the_same_audio_is_the_same_each_time(rate: int) -> None:
    """So that its text is, too."""
    pcm = np.random.default_rng(0).normal(0, 3_000, rate).astype("<i2").tobytes()

    assert StreamResampler(rate)(pcm) == StreamResampler(rate)(pcm)


def test_what_is_too_loud_in_between_is_clipped() -> None:
    """A wave of the largest samples swings beyond them between two of them."""
    pcm = np.tile(np.array([32767, 32767, -32768, -32768], dtype="<i2"), 500).tobytes()
    samples = np.frombuffer(StreamResampler(8_000)(pcm), "<i2").astype(int)

    assert (samples.max(), samples.min()) == (32767, -32768)
    assert np.abs(np.diff(samples)).max() < 65535


def test_a_telephone_s_audio_is_heard_at_its_own_rate() -> None:
    """Every second sample of what the resampler gives; streams of both rates may be judged together."""
    wide = speech("s24_pf_dora")
    narrow = np.frombuffer(wide, "<i2")[::2].astype("<i2").tobytes()
    resample = StreamResampler(8_000)
    back = windows(resample(narrow) + resample.drain())
    telephone, direct = SileroVad(8_000), SileroVad(8_000)
    heard = [telephone(window) for window in back]
    own = np.frombuffer(narrow, "<i2")
    at_once = [direct(np.repeat(own[i : i + 256], 2).tobytes()) for i in range(0, 256 * len(back), 256)]
    together = [SileroVad(8_000), SileroVad()]
    alone = SileroVad()
    both = [judge([(vad, window) for vad in together]) for window in back]

    assert max(heard) > 0.9
    assert heard == pytest.approx(at_once, abs=0.1)
    assert [pair[0] for pair in both] == pytest.approx(heard, abs=1e-4)
    assert [pair[1] for pair in both] == pytest.approx([alone(window) for window in back], abs=1e-4)


def test_the_web_process_loads_no_model_library() -> None:
    """Neither torch, which silero-vad asks for, nor CTranslate2, faster-whisper or the workers."""
    heavy = {"torch", "ctranslate2", "faster_whisper", "workers"}
    program = f"import sys, sttproject.asgi; print(sorted({heavy!r} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_the_vad_is_silero_s_own(rate: int) -> None:
    """Window for window what the package's torch model says; of a telephone's audio at its own rate."""
    silero = silero_vad.load_silero_vad()
    ours, theirs = [], []
    vad = SileroVad(rate)
    for window in windows(speech("s13_pm_alex")):
        ours.append(vad(window))
        samples = np.frombuffer(window, "<i2")[:: SAMPLE_RATE // rate].astype(np.float32) / 32768
        theirs.append(silero(torch.from_numpy(samples), rate).item())

    assert max(ours) > 0.9
    assert ours == pytest.approx(theirs, abs=1e-3)
