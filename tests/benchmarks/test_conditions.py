"""What lies between a speaker and the service."""

import numpy as np
import pytest

from benchmarks.clips import FRAME, Recording, made
from benchmarks.conditions import CONDITIONS, Surroundings
from benchmarks.schedule import alone
from benchmarks.sounds import sounds
from tests.benchmarks.material import clip, silence, sound
from transcription.ingress.resampling import StreamResampler

TONE = (8_000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)).astype(np.int16)


def pool(count: int = 4) -> list[Recording]:
    """Half a second of silence, a tone, half a second of silence; by as many speakers."""
    pcm = np.concatenate([silence(0.5), TONE, silence(0.5)])
    return [made(str(n), pcm, speaker=str(n)) for n in range(count)]


def spoilt(name: str, *, street: bool = False, seed: int = 0) -> list[Recording]:
    streets = [made("street", sound(1.0), kind="street")] if street else []
    return CONDITIONS[name].apply(Surroundings(pool(), streets, seed))


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_the_same_each_time(name: str) -> None:
    """And keeps the text."""
    first, second = spoilt(name), spoilt(name)

    assert [recording.clip for recording in first] == [recording.clip for recording in pool()]
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(first, second, strict=True))
    assert np.array_equal(first[0].pcm, pool()[0].pcm) == (name == "clean")


def test_a_telephone_keeps_a_tone_and_no_high_notes() -> None:
    """Within A-law's steps, 38 dB below; sent at 8 kHz."""
    high = made("high", (8_000 * np.sin(2 * np.pi * 6_000 * np.arange(16_000) / 16_000)).astype(np.int16))
    phone = CONDITIONS["phone"]
    (cut,) = phone.apply(Surroundings([high], [], 0))
    kept = spoilt("phone")[0].pcm[8_000:56_000].astype(float)

    assert np.mean((kept - TONE) ** 2) == pytest.approx(np.mean(TONE.astype(float) ** 2) / 10**3.8, rel=0.5)
    assert np.abs(cut.pcm[1_000:-1_000]).max() < 100
    assert {len(frame) for frame in alone(cut, phone.rate).frames()} == {320}


def test_what_comes_over_a_telephone_is_heard_the_same_offline() -> None:
    """But for what lies at the very edge of its band: speech goes through one telephone, not two."""
    noise = made("noise", np.random.default_rng(0).normal(0, 3_000, 32_000).astype(np.int16))
    phone = CONDITIONS["phone"]
    script = alone(phone.apply(Surroundings([noise], [], 0))[0], phone.rate)
    resample = StreamResampler(phone.rate)
    served = np.frombuffer(b"".join(map(resample, script.frames())) + resample.drain(), "<i2")[: script.pcm.size]
    heard = script.pcm[: served.size].astype(float)

    assert np.mean((served - heard) ** 2) < np.mean(heard**2) / 10**3.3


@pytest.mark.parametrize(
    ("name", "decibels", "street"),
    [("street10", 10, False), ("street5", 5, True), ("crowd10", 10, False), ("crowd5", 5, False)],
)
def test_noise_is_so_far_below_the_speech(name: str, decibels: float, street: bool) -> None:
    """Silence before and after does not count as speech."""
    clean, mixed = pool()[0].pcm.astype(float), spoilt(name, street=street)[0].pcm.astype(float)
    noise = np.mean((mixed - clean) ** 2)

    assert 10 * np.log10(np.mean(TONE.astype(float) ** 2) / noise) == pytest.approx(decibels, abs=0.5)


def test_one_frame_of_fifty_is_lost() -> None:
    """What is left is in order."""
    long = made("long", np.repeat(np.arange(5_000, dtype=np.int16), FRAME))
    (lossy,) = CONDITIONS["loss2"].apply(Surroundings([long], [], 0))
    frames = lossy.pcm[::FRAME]

    assert len(frames) / 5_000 == pytest.approx(0.98, abs=0.005)
    assert np.all(np.diff(frames) > 0)
    assert np.diff(frames).max() > 2, "some losses take two frames or more"


def test_levels() -> None:
    """Of what is speech."""
    quiet, loud, offset = (spoilt(name)[0].pcm.astype(float) for name in ("quiet", "loud", "offset"))

    assert 10 * np.log10(np.mean(quiet[8_000:56_000] ** 2) / 32768**2) == pytest.approx(-50, abs=0.2)
    assert np.mean(np.abs(loud[8_000:56_000]) >= 32_767) > 0.02
    assert offset[:8_000].mean() == pytest.approx(3277, abs=1)


def test_sounds_are_made_the_same_each_time_and_none_is_another() -> None:
    """Twelve seconds each, neither silent nor clipped."""
    first, second = sounds(), sounds()

    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert {len(pcm) for pcm in first.values()} == {192_000}
    assert all(0.009 < np.sqrt(np.mean((pcm / 32768.0) ** 2)) < 0.11 for pcm in first.values())
    assert len({pcm.tobytes() for pcm in first.values()}) == len(first) == len(sounds())


def test_another_seed_makes_other_sounds_of_the_same_kinds() -> None:
    """Tones are the same in any case."""
    first, other = sounds(), sounds(7)
    same = {name for name in first if np.array_equal(first[name], other[name])}

    assert list(first) == list(other)
    assert same == {"dial tone", "ringing tone", "busy tone", "hum"}


def test_laughter_has_calls_in_bouts() -> None:
    """Seven in a second and a half of three."""
    laughter = np.abs(sounds()["laughter"][: 3 * 16_000].astype(float))
    loud = laughter.reshape(-1, 400).max(axis=1) > 0.2 * laughter.max()
    starts = np.flatnonzero(np.diff(loud.astype(int)) == 1) / 40

    assert 6 <= len(starts) <= 8
    assert starts.max() < 1.6


def test_a_ringing_tone_rings_a_second_of_five() -> None:
    """At 425 Hz, as in Brazil."""
    ringing = sounds()["ringing tone"].astype(float)
    heard = np.abs(ringing.reshape(-1, 16_000)).max(axis=1) > 100
    spectrum = np.abs(np.fft.rfft(ringing[:16_000]))

    assert heard.tolist() == [n % 5 == 0 for n in range(12)]
    assert spectrum.argmax() == 425


def test_a_manifest_says_what_noise_it_is() -> None:
    """A clip of speech is of no kind."""
    assert clip().kind == ""
