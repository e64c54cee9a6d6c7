"""Files and text by their bytes: signatures, the header of a WAV file, frames one after another, printable characters.

None of it is in audio by chance: signatures of two bytes count only where frame upon frame begins with them.
"""

import re
import struct
from collections.abc import Callable

from transcription.core.encodings import Encoding

SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"OggS", 0, "an Ogg file (Opus or Vorbis)"),
    (b"\x1aE\xdf\xa3", 0, "a WebM file (what browsers record)"),
    (b"ftyp", 4, "an MP4 file"),
    (b"fLaC", 0, "a FLAC file"),
    (b"ID3", 0, "an MP3 file"),
    (b"FORM", 0, "an AIFF file"),
    (b"caff", 0, "a CAF file"),
    (b"#!AMR", 0, "an AMR file"),
    (b"riff\x2e\x91\xcf\x11", 0, "a W64 file"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, "a WMA or ASF file"),
    (b"FLV\x01", 0, "an FLV file"),
    (b"\x00\x00\x01\xba", 0, "an MPEG program stream"),
    (b"AVI LIST", 8, "an AVI file"),
    (b".snd\x00\x00", 0, "an AU file"),
)
"""Bytes, where they are, and what begins with them."""
VARIED = 64
"""Different bytes that a compressed file has at least; a test tone that happens to look like frames has few."""
FRAMES = 5
"""Frames that follow each other, to the end, for a stream to be made of them."""
LONGEST_FRAME = 1_500
"""Bytes in which the first one begins, where the stream is joined on the way."""


def file_of(head: bytes, is_whole: bool) -> str | None:
    """The file that begins with these bytes, `None` if none is known; frames are sought when `is_whole`."""
    for signature, at, name in SIGNATURES:
        if head.startswith(signature, at):
            return name
    if not is_whole or len(set(head)) < VARIED:
        return None
    return next((name for name, sync, length in STREAMS if _is_made_of(head, sync, length)), None)


# WAV

FMT = re.compile(rb"fmt (?P<size>[\x10-\xff])\0\0\0(?P<form>.{16})", re.DOTALL)
WAVE_TAGS = {Encoding.PCM_S16LE: (1, 0xFFFE), Encoding.MULAW: (7,), Encoding.ALAW: (6,)}
"""The format tags of WAV."""
WAVE_HEADER = 44
"""Bytes of a WAV file before its samples, as nearly everybody writes it."""


def wave_header(raw: bytes, rate: int, encoding: Encoding = Encoding.PCM_S16LE, expected: int = 1) -> str | None:
    """What a WAV header in these bytes says that the session does not; `None` where they agree, or without one.

    The session is of so many channels as are `expected`.

    A header before samples that are right does no harm: it is 22 or 44 odd samples.
    """
    if (found := FMT.search(raw)) is None:
        return None
    tag, channels, its_rate, _, _, bits = struct.unpack("<HHIIHH", found["form"])
    if (channels, its_rate, bits) == (expected, rate, 8 * encoding.sample_bytes) and tag in WAVE_TAGS[encoding]:
        return None
    kind = "float" if tag == 3 else "A-law" if tag == 6 else "mu-law" if tag == 7 else f"{bits}-bit"
    return f"a WAV file of {its_rate} Hz, {channels} channel{'s' * (channels != 1)}, {kind}"


WAVE_SAMPLES = {(1, 16): "linear16", (3, 32): "linear32", (6, 8): "alaw", (7, 8): "mulaw"}
"""What samples of a format tag and a size in bits are called."""
EXTENSIBLE = 0xFFFE
LONGEST_HEADER = 4_096


def wave_samples(head: bytes) -> tuple[str, int, int, int] | None:
    """Encoding, rate (Hz), channels, and where the samples begin, of a WAV whose header is plain and whole."""
    found, data = FMT.search(head, 0, LONGEST_HEADER), head.find(b"data", WAVE_HEADER - 8, LONGEST_HEADER)
    if found is None or data < 0:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", found["form"])
    if tag == EXTENSIBLE:  # the tag stands behind the size, the valid bits and the speakers
        (tag,) = struct.unpack_from("<H", head, found.end() + 8)
    encoding = WAVE_SAMPLES.get((tag, bits))
    return (encoding, rate, channels, data + 8) if encoding else None


# Streams of frames

Length = Callable[[bytes], tuple[int, object] | None]
"""Of a frame's header: its bytes, and what is the same in all headers; `None` if it is none."""

MPEG_KBITS = {
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version (3: MPEG-1, 2: MPEG-2 and 2.5) and layer (1: III, 2: II), ISO/IEC 11172-3 and 13818-3."""
MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mpeg_frame(header: bytes) -> tuple[int, object] | None:
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbit, rate = header[2] >> 4, header[2] >> 2 & 3
    if header[1] < 0xE0 or version == 1 or layer not in (1, 2) or kbit in (0, 15) or rate == 3:
        return None
    bits_per_second = MPEG_KBITS[max(version, 2), layer][kbit - 1] * 1000
    samples = 576 if layer == 1 and version != 3 else 1152
    padding = header[2] >> 1 & 1
    return samples // 8 * bits_per_second // MPEG_RATES[version][rate] + padding, (version, layer, rate)


def _adts_frame(header: bytes) -> tuple[int, object] | None:
    rate, length = header[2] >> 2 & 15, (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if header[1] & 0xF6 != 0xF0 or rate > 12 or length < 8:
        return None
    return length, (header[1], header[2], header[3] >> 6)


def _loas_frame(header: bytes) -> tuple[int, object] | None:
    length = (header[1] & 0x1F) << 8 | header[2]
    return (length + 3, None) if header[1] & 0xE0 == 0xE0 and length > 8 else None


def _transport_packet(header: bytes) -> tuple[int, object] | None:
    """188 bytes each; the error bit is off, and the two bits after scrambling are not both off."""
    return (188, None) if header[1] < 0x80 and header[3] & 0x30 else None


STREAMS: tuple[tuple[str, bytes, Length], ...] = (
    ("MP3", b"\xff", _mpeg_frame),
    ("AAC", b"\xff", _adts_frame),
    ("AAC (LATM)", b"\x56", _loas_frame),
    ("an MPEG transport stream", b"\x47", _transport_packet),
)
HEADER = 6
"""Bytes of a frame that are read."""


def _is_made_of(raw: bytes, sync: bytes, length: Length) -> bool:
    at = raw.find(sync, 0, LONGEST_FRAME)
    while at >= 0:
        if _frames_follow(raw, at, sync, length):
            return True
        at = raw.find(sync, at + 1, LONGEST_FRAME)
    return False


def _frames_follow(raw: bytes, at: int, sync: bytes, length: Length) -> bool:
    common: set[object] = set()
    frames = 0
    while len(header := raw[at : at + HEADER]) == HEADER:
        if not header.startswith(sync) or (frame := length(header)) is None:
            return False
        common.add(frame[1])
        at, frames = at + frame[0], frames + 1
    return len(common) == 1 and frames >= FRAMES


# Streams that are decoded as they come

MAGIC = 12
"""Bytes that tell a container by its signature."""
DEMUXERS: tuple[tuple[bytes, int, str], ...] = (
    (b"OggS", 0, "ogg"),
    (b"\x1aE\xdf\xa3", 0, "matroska"),
    (b"ftyp", 4, "mov"),
    (b"fLaC", 0, "flac"),
    (b"ID3", 0, "mp3"),
    (b"#!AMR", 0, "amr"),
    (b"WAVE", 8, "wav"),
)
"""Of the signatures, those of what can be decoded as it comes; FFmpeg's names."""


def demuxer_of(head: bytes) -> str | None:
    """FFmpeg's demuxer of a stream that begins so; empty if there is none, `None` while more bytes are needed.

    MP3 and AAC without a signature are told by two frames in a row: one sample in 65,536 looks like a frame's header.
    """
    if len(head) < MAGIC:
        return None
    for signature, at, name in DEMUXERS:
        if head.startswith(signature, at):
            return name
    for name, length in (("mp3", _mpeg_frame), ("aac", _adts_frame)):
        if head.startswith(b"\xff") and (frame := length(head[:HEADER])):
            following = head[frame[0] : frame[0] + HEADER]
            if len(following) < HEADER:
                return None
            if following.startswith(b"\xff") and (again := length(following)) and again[1] == frame[1]:
                return name
    return ""


# Text

PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n"
HEXADECIMAL = b"0123456789abcdefABCDEF\r\n"
BASE64 = re.compile(rb"[A-Za-z0-9+/_=\r\n-]*")
MANY = 8
"""Different characters that text has at even and at odd places: soft sound on a constant has few high bytes."""


def text_of(raw: bytes) -> str | None:
    """The kind of text that bytes are, `None` if they are none: samples would all be between 0.25 and full scale."""
    if raw.translate(None, PRINTABLE) or min(len(set(raw[::2])), len(set(raw[1::2]))) < MANY:
        return None
    if not raw.translate(None, HEXADECIMAL):
        return "hexadecimal text"
    return "base64 text" if BASE64.fullmatch(raw) else "text (JSON, or a data URL)"
