"""G.711 against the standard's own tables."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.telephone import alaw, mulaw
from transcription.core.encodings import Encoding
from transcription.core.g711 import to_pcm

EVERY_CODE = bytes(range(256))
MU_LAW_LEVELS = [(0, 30), (33, 93), (99, 219), (231, 471), (495, 975), (1023, 1983), (2079, 3999), (4191, 8031)]
"""ITU-T G.711, table 2a: the least and the greatest value of each segment, 14 bits."""
A_LAW_LEVELS = [(1, 31), (33, 63), (66, 126), (132, 252), (264, 504), (528, 1008), (1056, 2016), (2112, 4032)]
"""Table 1a: likewise, 13 bits. In a segment 16 values lie at equal distances."""


def levels(segments: list[tuple[int, int]]) -> list[float]:
    """The 128 values, least first."""
    return [float(value) for segment in segments for value in np.linspace(*segment, 16)]


def decoded(encoded: bytes, encoding: Encoding) -> np.ndarray:
    return np.frombuffer(to_pcm(encoded, encoding), "<i2").astype(int)


def test_every_mu_law_code_is_the_standard_s_value() -> None:
    """1111 1111 is 0, less is more; the first bit says positive."""
    upwards = [4 * value for value in levels(MU_LAW_LEVELS)]

    assert decoded(EVERY_CODE, Encoding.MULAW).tolist() == [-value for value in reversed(upwards)] + upwards[::-1]


def test_every_a_law_code_is_the_standard_s_value() -> None:
    """1000 0000, with its even bits inverted, is the least positive one."""
    upwards = [8 * value for value in levels(A_LAW_LEVELS)]
    by_code = [-value for value in upwards] + upwards

    assert decoded(EVERY_CODE, Encoding.ALAW).tolist() == [by_code[code ^ 0x55] for code in range(256)]


@pytest.mark.parametrize(("encode", "encoding"), [(mulaw, Encoding.MULAW), (alaw, Encoding.ALAW)])
def test_every_sample_comes_back_nearly_as_it_was(
    encode: Callable[[NDArray[np.int16]], bytes], encoding: Encoding
) -> None:
    """Off by a thirtieth of itself at most, as four bits of mantissa allow; and what came back stays as it is."""
    samples = np.arange(-32_768, 32_768).astype("<i2")
    back = decoded(encode(samples), encoding)

    assert np.all(np.abs(back - samples) <= np.abs(samples.astype(int)) / 30 + 8)
    assert decoded(encode(back.astype("<i2")), encoding).tolist() == back.tolist()


def test_pcm_is_left_alone() -> None:
    assert to_pcm(EVERY_CODE, Encoding.PCM_S16LE) is EVERY_CODE
    assert [encoding.sample_bytes for encoding in Encoding] == [2, 1, 1]
    assert [to_pcm(b"", encoding) for encoding in Encoding] == [b"", b"", b""]
