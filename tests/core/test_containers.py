"""What a stream is by its first bytes, for it to be decoded as it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio import SAMPLE_RATE, encoded, speech
from transcription.core.containers import MAGIC, demuxer_of, wave_samples

PCM = speech("s13_pm_alex")[: 2 * SAMPLE_RATE]
KINDS = {
    "ogg": ("ogg",),
    "matroska": ("webm",),
    "wav": ("wav",),
    "flac": ("flac",),
    "mp3": ("mp3", "-id3v2_version", "0", "-write_xing", "0"),
    "aac": ("adts",),
    "mov": ("mp4", "-movflags", "frag_keyframe+empty_moov"),
}


def contained(container: str, *options: str) -> bytes:
    """The PCM in a container, written as a stream."""
    return encoded(PCM, *options, "-f", container)


@pytest.mark.parametrize("demuxer", KINDS)
def test_a_container_is_known_by_its_beginning(demuxer: str) -> None:
    """As soon as it can be, and never taken for another or for none before."""
    container, *options = KINDS[demuxer]
    data = contained(container, *options)
    seen = [demuxer_of(data[:size]) for size in range(4_000)]
    known = seen.index(demuxer)

    assert set(seen[:known]) <= {None}
    assert set(seen[known:]) == {demuxer}
    assert known == MAGIC or demuxer in ("mp3", "aac")


def test_a_file_with_a_tag_is_an_mp3() -> None:
    assert demuxer_of(b"ID3\x04" + bytes(20)) == "mp3"


@given(st.binary(min_size=MAGIC, max_size=64).filter(lambda data: data[0] != 0xFF))
def test_samples_are_none(pcm: bytes) -> None:
    assert demuxer_of(pcm) == "" or pcm[:4] in (b"OggS", b"fLaC") or pcm[4:8] == b"ftyp" or pcm[8:12] == b"WAVE"


@pytest.mark.parametrize("first", [b"\xff\xff", b"\xff\x7f", b"\xff\x00"])
def test_quiet_or_full_samples_that_begin_like_a_frame_are_none(first: bytes) -> None:
    assert demuxer_of(first * 2_000) == ""


def test_one_frame_s_header_is_no_proof() -> None:
    """A sample in 65,536 looks like one; where a second frame would be there is none."""
    header = contained("mp3", "-id3v2_version", "0", "-write_xing", "0")[:4]

    assert demuxer_of(header + bytes(100)) is None
    assert demuxer_of(header + bytes(2_000)) == ""


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("pcm_s16le", "linear16"), ("pcm_f32le", "linear32"), ("pcm_mulaw", "mulaw"), ("pcm_alaw", "alaw")],
)
def test_the_samples_of_a_wav(codec: str, encoding: str) -> None:
    """Whatever stands in its header besides."""
    data = contained("wav", "-c:a", codec, "-ar", "8000", "-ac", "2")
    found = wave_samples(data)
    assert found
    *said, start = found

    assert said == [encoding, 8_000, 2]
    assert data[start - 8 : start - 4] == b"data"
    assert wave_samples(data[: start - 5]) is None


def test_a_wav_of_anything_else_is_left_to_ffmpeg() -> None:
    assert wave_samples(contained("wav", "-c:a", "pcm_s24le")) is None
    assert wave_samples(contained("wav", "-c:a", "adpcm_ms")) is None
