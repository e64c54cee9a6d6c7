"""Other samples than 16-bit little-endian mono ones, by statistics.

Read as 16-bit samples they are noise, while read as what they are they are smooth as sound is; of channels in turn,
neighbours are unlike in a way that those of one sound never are.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from transcription.core.encodings import Encoding
from transcription.core.g711 import to_pcm

Samples = NDArray[np.float64]

NOISE, SMOOTH, TIMES = 0.6, 0.45, 2.5
"""Roughness from which samples are noise, up to which they are sound, and how many times the one must be the other.
White noise has 1, speech at 16 kHz some 0.02 to 0.4."""
UNEVEN, FAR = 0.3, 10.0
"""Less rough than noise, as low bytes of soft sound at 48 kHz are, but so many times what it is otherwise."""
SILENT_CHANNEL = 0.01
"""Share of the other channel's power below which a channel is silent: 20 dB less."""
ALTERNATING = 1.5
"""Roughness of a tone at a quarter of the rate, of which every other sample may be silent."""
LANES = (2, 4, 6, 8)
"""Channels of which one alone may have sound."""
SAME_CHANNEL = 0.1
"""Neighbours of two channels follow from each other, but for so much less than neighbours in time: of mono samples
both are alike."""
UNLIKE, APART, TALKERS = 0.45, 1.5, 0.25
"""Two talkers: roughness of both in turn, how many times each one's, and how unlike their powers are on average."""
SPAN = 160
"""Samples of each channel whose powers are compared: 10 ms at 16 kHz."""
ALIKE, BYTE_TIMES, BYTE_SMOOTH = 0.15, 1.25, 0.43
"""Bytes of 8-bit samples read as 16-bit ones are as rough either way round, within this share of it, where of 16-bit
samples the one way is noise; and so much rougher than as what they are, which is up to so rough."""
UNIFORM = 0.1
"""Share by which the power of the low halves of long samples may differ from that of bytes at random."""


def guess(raw: bytes) -> str | None:
    """What bytes that are not quiet are, if they are not 16-bit little-endian mono PCM."""
    for order, ending in (("<", ""), (">", ", big-endian")):
        for size in (4, 8):
            if _is_float(np.frombuffer(raw[: len(raw) // 8 * 8], dtype=f"{order}f{size}")):
                return f"{size * 8}-bit float samples{ending}"
    return _in_lanes(raw) or _otherwise_read(raw)


def _in_lanes(raw: bytes) -> str | None:
    """What 16-bit samples in turn are: channels, or halves of longer ones."""
    samples = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<i2").astype(np.float64)
    even, odd = samples[0::2], samples[1::2]
    roughs = roughness(even), roughness(odd)
    if _is_uniform(even) and roughs[1] < NOISE:
        return "32-bit samples"
    swapped = _big_endian(raw[: len(raw) // 4 * 4])
    if _is_uniform(swapped[1::2]) and TIMES * roughness(swapped[0::2]) < roughs[0]:
        return "32-bit samples, big-endian"
    for channels in LANES:
        lanes = [samples[n::channels] for n in range(channels)]
        powers = np.array([np.mean(lane**2) for lane in lanes])
        loud, soft = roughness(lanes[int(powers.argmax())]), roughness(lanes[int(powers.argmin())])
        alone = np.sum(powers > SILENT_CHANNEL * powers.max()) == 1
        if alone and channels == 2 and (loud < SMOOTH or (soft < SMOOTH and loud < ALTERNATING)):
            return "stereo with one silent channel, or 32-bit samples"
        if alone and loud < SMOOTH:
            return f"{channels} channels in turn"
    if max(roughs) > SMOOTH:
        return None
    if all(_is_same(*halves) for halves in zip(np.array_split(even, 2), np.array_split(odd, 2), strict=True)):
        return "stereo: two channels in turn"
    rough = roughness(samples)
    if rough > max(UNLIKE, APART * max(roughs)) and _imbalance(even, odd) > TALKERS:
        return "stereo: two channels in turn"
    return None


def _otherwise_read(raw: bytes) -> str | None:
    """What is smooth if it is read otherwise."""
    rough = roughness(read(raw, Encoding.PCM_S16LE))
    others = {name: roughness(reading(raw)) for name, reading in READINGS.items()}
    name = min(others, key=lambda reading: others[reading])
    ratio = rough / max(others[name], 1e-9)
    if others[name] < SMOOTH and ((rough > NOISE and ratio > TIMES) or (rough > UNEVEN and ratio > FAR)):
        return name
    bytewise = min(BYTES, key=lambda reading: others[reading])
    swapped = abs(others[BIG_ENDIAN] - rough) < ALIKE * rough
    if swapped and others[bytewise] < BYTE_SMOOTH and rough > BYTE_TIMES * others[bytewise]:
        return bytewise
    return None


def _is_float(values: NDArray[np.floating]) -> bool:
    """Whether nearly all are of a size that samples have, on both sides of zero, and of many sizes.

    Of 16-bit samples read so hardly any are, unless they are all alike: a constant, or clipped at one height.
    """
    sizes = np.abs(values)
    if np.mean((sizes < 32769.0) & ((sizes > 1e-7) | (sizes == 0.0))) < 0.99:
        return False
    heard = values[(sizes > 1e-7) & (sizes < 32769.0)].astype(np.float64)
    if heard.size < SPAN:
        return False
    return bool(0.05 < np.mean(heard > 0) < 0.95 and np.std(np.log2(np.abs(heard))) > 0.7)


def _is_uniform(samples: Samples) -> bool:
    """Whether samples are 16 bits at random, as the low halves of longer samples are."""
    power = float(np.mean(samples**2)) / (65536.0**2 / 12)
    return abs(power - 1) < UNIFORM and roughness(samples) > 0.9


def _is_same(one: Samples, other: Samples) -> bool:
    """Whether two channels are one sound: where a click is all the sound, that is for one half to say, not for both."""
    within, between = _unexplained(one, other), _unexplained(other[:-1], one[1:])
    return min(within, between) < SAME_CHANNEL * max(within, between)


def _unexplained(one: Samples, other: Samples) -> float:
    """Share of the power that does not follow from the other by any one gain, of either sign."""
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sum(one**2) * np.sum(other**2))
    return 1.0 - float(np.sum(one * other)) ** 2 / power if power else 1.0


def _imbalance(one: Samples, other: Samples) -> float:
    """How unlike two channels' powers are from span to span, 0 to 1: those of one sound's samples in turn are alike."""
    spans = one.size // SPAN
    powers = [np.mean((lane[: spans * SPAN].reshape(spans, SPAN) - lane.mean()) ** 2, axis=1) for lane in (one, other)]
    return float(np.mean(np.abs(powers[0] - powers[1]) / (powers[0] + powers[1] + 1.0)))


def roughness(samples: Samples) -> float:
    """Power of the differences between neighbours over that of the samples: 1 for white noise, 0 for smooth sound."""
    samples = samples - samples.mean()
    power = float(np.mean(samples**2))
    return float(np.mean(np.diff(samples) ** 2)) / (2 * power) if power else 1.0


def read(raw: bytes, encoding: Encoding) -> Samples:
    """Whole samples in an encoding that a session takes, on the 16-bit scale."""
    whole = len(raw) // encoding.sample_bytes * encoding.sample_bytes
    return np.frombuffer(to_pcm(raw[:whole], encoding), "<i2").astype(np.float64)


def _packed_24(raw: bytes, low: int = 0) -> Samples:
    """Three bytes a sample, the low one first or last (2)."""
    parts = np.frombuffer(raw[: len(raw) // 3 * 3], np.uint8).reshape(-1, 3).astype(np.int32)
    return ((parts[:, 2 - low] << 24 | parts[:, 1] << 16 | parts[:, low] << 8) >> 8).astype(np.float64)


def _big_endian(raw: bytes) -> Samples:
    return np.frombuffer(raw[: len(raw) // 2 * 2], dtype=">i2").astype(np.float64)


BIG_ENDIAN = "16-bit big-endian samples"
BYTES = ("unsigned 8-bit samples", "signed 8-bit samples", "mu-law (G.711)", "A-law (G.711)")
READINGS: dict[str, Callable[[bytes], Samples]] = {
    BIG_ENDIAN: _big_endian,
    "unsigned 8-bit samples": lambda raw: np.frombuffer(raw, np.uint8).astype(np.float64),
    "signed 8-bit samples": lambda raw: np.frombuffer(raw, np.int8).astype(np.float64),
    "mu-law (G.711)": lambda raw: read(raw, Encoding.MULAW),
    "A-law (G.711)": lambda raw: read(raw, Encoding.ALAW),
    "packed 24-bit samples": _packed_24,
    "packed 24-bit samples, big-endian": lambda raw: _packed_24(raw, 2),
}
"""Ways to read bytes, by what they would be."""
