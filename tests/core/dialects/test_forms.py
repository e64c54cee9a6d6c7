"""Forms with a file, in pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription.core.dialects.forms import MAX_FIELD, MAX_HEADERS, MAX_PARTS, Field, FileBegins, FormReader

TYPE = 'multipart/form-data; boundary="x-y"'


def part(name: str, content: bytes, more: str = "") -> bytes:
    return f'--x-y\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


def read(body: bytes, *at: int) -> tuple[list[Field | FileBegins], bytes, FormReader]:
    """What is found in a body that comes in pieces: fields and where the file is, the file, the reader."""
    reader = FormReader(TYPE)
    cuts = [0, *sorted(cut % (len(body) + 1) for cut in at), len(body)]
    found = [one for start, end in itertools.pairwise(cuts) for one in reader.feed(body[start:end])]
    return (
        [one for one in found if not isinstance(one, bytes)],
        b"".join(one for one in found if isinstance(one, bytes)),
        reader,
    )


@given(st.binary(max_size=400).filter(lambda data: b"\r\n--x-y" not in data), st.lists(st.integers(0, 999), max_size=9))
def test_whatever_the_file_holds_and_however_the_body_is_cut(file: bytes, cuts: list[int]) -> None:
    body = (
        part("model", b"m") + part("file", file, '; filename="a\\"b.wav"') + part("prompt", "olá".encode()) + b"--x-y--"
    )
    found, got, reader = read(body, *cuts)

    assert found == [Field("model", "m"), FileBegins(), Field("prompt", "olá")]
    assert got == file
    assert reader.complete


@given(st.lists(st.integers(0, 999), max_size=9))
def test_what_is_around_the_parts_is_left_out(cuts: list[int]) -> None:
    body = b"preamble\r\n" + part("a", b"1") + b"--x-y--\r\nepilogue\r\n--x-y\r\n"
    found, _, reader = read(body, *cuts)

    assert found == [Field("a", "1")]
    assert reader.complete


def test_a_form_that_ends_too_early_is_not_complete() -> None:
    found, got, reader = read(part("model", b"m") + part("file", b"abc")[:-5])

    assert found == [Field("model", "m"), FileBegins()]
    assert b"abc".startswith(got)
    assert not reader.complete


def test_a_part_without_headers_is_nobody_s() -> None:
    found, _, reader = read(b"--x-y\r\n\r\nabc\r\n" + part("a", b"1") + b"--x-y--")

    assert found == [Field("", "abc"), Field("a", "1")]
    assert reader.complete


@pytest.mark.parametrize(
    "body",
    [
        part("prompt", b"x" * (MAX_FIELD + 99)),
        b"--x-y\r\nX: " + b"x" * MAX_HEADERS,
        b"--x-y" + b" " * (MAX_HEADERS + 1),
        part("a", b"") * (MAX_PARTS + 1),
    ],
    ids=["a value", "headers", "a delimiter", "parts"],
)
def test_fields_are_bounded(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|no end|at most"):
        read(body)


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_what_is_no_form(content_type: str) -> None:
    with pytest.raises(ValueError, match="multipart/form-data"):
        FormReader(content_type)
