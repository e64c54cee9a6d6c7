"""OpenAI's own SDK uploads recordings: what is answered and refused by the echo engine, words by the real model."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from containers import KINDS, recording
from openai import OpenAI
from real_clients import PCM, SAID, sessions, words

from harness.audio import noise, silence, speech, wav
from harness.stack import ECHO, Stack
from harness.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own


def sdk(stack: Stack, key: str = "none", prefix: str = "") -> OpenAI:
    """The client, at once told of what goes wrong."""
    return OpenAI(base_url=f"{stack.http_url}{prefix}/v1", api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service with bounds that can be reached, and a key for it."""
    settings = {
        "STT_AUTH": "required",
        "STT_MAX_SESSIONS": "1",
        "STT_PATH_PREFIX": "/stt",
        "STT_MAX_UPLOAD_MB": "4",
        "STT_UPLOAD_MEMORY_MB": "1",
        "STT_MAX_UPLOAD_S": "60",
    }
    with Stack(tmp_path_factory.mktemp("small"), ECHO | settings) as stack:
        stack.start()
        yield stack, stack.manage("createapikey", "files")


@pytest.mark.model
@pytest.mark.parametrize("kind", KINDS)
def test_words_of_every_kind_of_file(keyed: tuple[Stack, str], tmp_path: Path, kind: str) -> None:
    stack, key = keyed
    with sdk(stack, key) as client:
        file = (f"a.{kind}", recording(kind, tmp_path))
        told = client.audio.transcriptions.create(model="whisper-1", language="pt", file=file)

    assert SAID in words(told.text)
    assert told.usage
    assert told.usage.type == "duration"
    assert told.usage.seconds == pytest.approx(len(PCM) / 32_000, abs=1.1)


@pytest.mark.model
def test_verbose_json_has_segments_and_words_where_they_were_said(keyed: tuple[Stack, str]) -> None:
    stack, key = keyed
    with sdk(stack, key) as client:
        told = client.audio.transcriptions.create(
            model="whisper-1",
            file=("a.wav", wav(PCM)),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    segments, said = told.segments or [], told.words or []

    assert told.language == "portuguese"
    assert told.duration == pytest.approx(len(PCM) / 32_000, abs=0.1)
    assert SAID in words(" ".join(segment.text for segment in segments))
    assert words(told.text).split() == words(" ".join(word.word for word in said)).split()
    assert [word.start for word in said] == sorted(word.start for word in said)
    assert 0.2 < said[0].start < said[-1].end < told.duration


@pytest.mark.model
@pytest.mark.parametrize(("kind", "first"), [("srt", "1\n00:00:00,"), ("vtt", "WEBVTT\n\n00:00:00.")])
def test_subtitles(keyed: tuple[Stack, str], kind: Any, first: str) -> None:
    stack, key = keyed
    with sdk(stack, key) as client:
        told = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", wav(PCM)), response_format=kind)

    assert str(told).startswith(first)
    assert SAID in words(str(told))


def test_text_and_json_say_the_same(echo_stack: Stack) -> None:
    with sdk(echo_stack) as client:
        text = client.audio.transcriptions.create(model="any", file=("a.wav", wav(PCM)), response_format="text")
        told = client.audio.transcriptions.create(model="any", file=("a.wav", wav(PCM)))

    assert str(text) == f"{told.text}\n"
    assert told.text


def test_a_stream_s_deltas_are_its_text(echo_stack: Stack) -> None:
    """An event for each segment."""
    said = speech("s13_pm_alex") + silence(1.0) + noise(1.0, 7) + silence(1.0) + speech("s13_pm_alex") + silence(1.0)
    with sdk(echo_stack) as client:
        events = list(client.audio.transcriptions.create(model="any", file=("a.wav", wav(said)), stream=True))

    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) >= 2
    assert [event.type for event in events][-1] == "transcript.text.done"
    assert "".join(deltas) == events[-1].text


def test_fields_in_any_order(echo_stack: Stack) -> None:
    """As `curl` sends them, the file first; or what matters first, and the file transcribed as it comes in."""
    url = f"{echo_stack.http_url}/v1/audio/transcriptions"
    file, model, language = ("file", ("a.wav", wav(PCM))), ("model", (None, "m")), ("language", (None, "pt"))
    orders: list[Any] = [[file, model, language], [model, language, file], [model, file, language]]
    texts = [requests.post(url, files=order, timeout=30).json()["text"] for order in orders]

    assert texts[0]
    assert len(set(texts)) == 1


def test_silence_is_an_empty_text(echo_stack: Stack) -> None:
    with sdk(echo_stack) as client:
        assert client.audio.transcriptions.create(model="any", file=("a.wav", wav(silence(2.0)))).text == ""


@pytest.mark.parametrize(
    ("fields", "file", "param", "message"),
    [
        ({"model": "m", "response_format": "diarized_json"}, True, "response_format", "json, text, srt"),
        ({"model": "m", "timestamp_granularities[]": "letter"}, True, "timestamp_granularities[]", "word or segment"),
        ({"model": "m", "language": "klingon"}, True, "language", "`pt`"),
        ({"model": "m", "temperature": "hot"}, True, "temperature", "0 to 1"),
        ({}, True, "model", "a name"),
        ({"model": "m"}, False, "file", "a recording"),
    ],
)
def test_a_bad_field_is_named(echo_stack: Stack, fields: dict[str, str], file: bool, param: str, message: str) -> None:
    parts: list[Any] = [(name, (None, value)) for name, value in fields.items()]
    parts += [("file", ("a.wav", wav(PCM)))] * file or [("other", (None, "x"))]
    answer = requests.post(f"{echo_stack.http_url}/v1/audio/transcriptions", files=parts, timeout=30)
    error = answer.json()["error"]

    assert answer.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert message in error["message"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "file",
    [b"", b"hello" * 1000, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", wav(PCM)[:40], bytes(100_000)],
    ids=["nothing", "text", "a playlist", "half a header", "zeros"],
)
def test_what_is_no_recording_is_said_to_be_none(echo_stack: Stack, file: bytes) -> None:
    """Whether it comes before the session is asked for, or after; and the session is over."""
    with sdk(echo_stack) as client:
        for language in ("pt", openai.omit):
            with pytest.raises(openai.BadRequestError, match="recording"):
                client.audio.transcriptions.create(model="m", file=("a.wav", file), language=language)
    until(lambda: sessions(echo_stack) == 0, "the session's end")


def test_a_body_that_is_no_form(echo_stack: Stack) -> None:
    answer = requests.post(f"{echo_stack.http_url}/v1/audio/transcriptions", data=wav(PCM), timeout=30)

    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_a_wrong_key(small: tuple[Stack, str]) -> None:
    """Asked for before a body is read."""
    for key in ("wrong", "none"):
        with sdk(small[0], key, "/stt") as client, pytest.raises(openai.AuthenticationError) as refused:
            client.audio.transcriptions.create(model="m", file=("a.wav", wav(PCM)))
        assert refused.value.code == "invalid_api_key"
        with sdk(small[0], key, "/stt") as client, pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_a_recording_too_long_is_refused(small: tuple[Stack, str]) -> None:
    """In bytes, whether they were announced or not, and in seconds; the client is there to read the answer."""
    stack, key = small
    with sdk(stack, key, "/stt") as client:
        with pytest.raises(openai.APIStatusError) as too_large:
            client.audio.transcriptions.create(model="m", language="pt", file=("a.wav", wav(bytes(4_300_000))))
        with pytest.raises(openai.RateLimitError):  # held until the form is complete
            client.audio.transcriptions.create(model="m", file=("a.wav", wav(bytes(1_500_000))))
        with pytest.raises(openai.APIStatusError, match="at most 60 s") as too_long:
            client.audio.transcriptions.create(model="m", language="pt", file=("a.wav", wav(silence(61.0))))

    assert (too_large.value.status_code, too_long.value.status_code) == (413, 413)


def test_a_service_that_is_full_says_when_to_come_back(small: tuple[Stack, str]) -> None:
    """And a client that hangs up makes room: its session ends, with what it has."""
    stack, key = small
    head, rest = wav(silence(50.0))[:100_000], threading.Event()

    def slowly() -> Iterator[bytes]:
        for name, value in (("model", "m"), ("language", "pt")):
            yield f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + head
        rest.wait(30)
        raise OSError("gone")

    def upload() -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        with pytest.raises((OSError, requests.RequestException)):
            requests.post(f"{stack.http_url}/stt/v1/audio/transcriptions", data=slowly(), headers=headers, timeout=30)

    uploading = threading.Thread(target=upload)
    uploading.start()
    until(lambda: sessions(stack) == 1, "the session")
    with sdk(stack, key, "/stt") as client, pytest.raises(openai.RateLimitError) as refused:
        client.audio.transcriptions.create(model="m", file=("a.wav", wav(PCM)))
    rest.set()
    uploading.join()
    until(lambda: sessions(stack) == 0, "the session's end")

    assert refused.value.code == "max_sessions_reached"
    assert refused.value.response.headers["retry-after-ms"] == "1000"
    assert refused.value.response.headers["retry-after"] == "1"
    with sdk(stack, key, "/stt") as client:
        assert client.audio.transcriptions.create(model="m", file=("a.wav", wav(PCM))).text


def test_without_a_worker(tmp_path: Path) -> None:
    with Stack(tmp_path, ECHO) as stack:
        stack.start(workers=0)
        with sdk(stack) as client, pytest.raises(openai.InternalServerError) as refused:
            client.audio.transcriptions.create(model="m", file=("a.wav", wav(PCM)))

    assert refused.value.status_code == 503
    assert refused.value.response.headers["retry-after-ms"]


def test_models(echo_stack: Stack) -> None:
    with sdk(echo_stack) as client:
        names = [model.id for model in client.models.list()]
        one = client.models.retrieve("whisper-1")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-4")

    assert names == ["echo", "whisper-1"]
    assert one.object == "model"


@pytest.mark.model
def test_a_translation_is_in_english(keyed: tuple[Stack, str]) -> None:
    """As well as the model can."""
    stack, key = keyed
    with sdk(stack, key) as client:
        told = client.audio.translations.create(
            model="whisper-1", file=("a.wav", wav(PCM)), response_format="verbose_json"
        )
    said = words(told.text)

    assert told.language == "english"
    assert "paulista" in said
    assert "avenida" not in said
    assert [segment.text for segment in told.segments or []] == [told.text]


def test_translations_are_refused_by_who_cannot(echo_stack: Stack) -> None:
    with sdk(echo_stack) as client, pytest.raises(openai.BadRequestError) as refused:
        client.audio.translations.create(model="whisper-1", file=("a.wav", wav(PCM)))

    assert refused.value.code == "model_not_supported"


def test_an_upload_is_a_session_like_any_other(echo_stack: Stack) -> None:
    """In the records, and in the metrics."""
    before = echo_stack.manage("shell", "-v", "0", "-c", RECORDED)
    with sdk(echo_stack) as client:
        client.audio.transcriptions.create(model="m", file=("a.wav", wav(PCM)))
    until(lambda: echo_stack.manage("shell", "-v", "0", "-c", RECORDED) != before, "the record")

    counted = requests.get(f"{echo_stack.http_url}/metrics", timeout=5).text
    assert 'stt_dialect_connections_total{dialect="openai_files"}' in counted
    assert "stt_upload_bytes 0.0" in counted


RECORDED = "from transcription.models import Session; print(Session.objects.filter(reason='completed').count())"
