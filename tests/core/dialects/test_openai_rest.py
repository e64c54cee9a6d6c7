"""OpenAI's API for recordings, without a server."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.dialects.messages import final
from transcription.core.dialects.dialect import Refused
from transcription.core.dialects.openai_rest import OpenAITranscription, OpenAITranslation, models, translates
from transcription.core.dialects.recordings import Answer, Asked
from transcription.core.protocol import StartConfig, StartSession

FORM = "multipart/form-data; boundary=x"
START = StartSession(config=StartConfig(encoding="pcm_s16le", partial_results=False, word_timestamps=True))


def asked(content_type: str = FORM) -> OpenAITranscription:
    return OpenAITranscription(Asked(request_id="id", content_type=content_type, language="pt"))


def field(name: str, value: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n'
END = b"--x--\r\n"


def heard(*parts: bytes) -> tuple[OpenAITranscription, list[Any]]:
    """A request with a whole form, and what came of it."""
    request = asked()
    steps: list[Any] = [*request.open()]
    for part in (*parts, END):
        steps += request.hear(part)
    return request, [*steps, *request.end()]


def answered(*parts: bytes, stream: bool = False) -> Any:
    """What is answered to two segments and an empty one; of a stream all that was sent."""
    request, _ = heard(FILE, field("model", "m"), *parts)
    finals = [final("Bom dia."), final("", start_ms=2500.0), final("Tudo bem?", start_ms=5000.0)]
    events = "".join(map(request.tell, finals))
    answer = request.answer(6.2)
    if stream:
        return [json.loads(line.removeprefix("data: ")) for line in f"{events}{answer}".split("\n\n")[:-2]]
    assert isinstance(answer, Answer)
    assert dict(answer.headers) == {"x-request-id": "id"}
    return json.loads(answer.body) if answer.content_type == "application/json" else answer.body.decode()


def test_the_session_starts_before_the_file_where_all_is_known() -> None:
    start = replace(START, config=replace(START.config, lang_code="pt"))
    _, steps = heard(field("language", "pt-BR"), field("model", "m"), FILE)

    assert [steps[0], b"".join(steps[1:])] == [start, b"abc"]


@pytest.mark.parametrize("parts", [(FILE, field("model", "m")), (field("model", "m"), FILE)], ids=["after", "before"])
def test_else_it_starts_when_the_form_is_over(parts: tuple[bytes, ...]) -> None:
    """A language may follow."""
    _, steps = heard(*parts)

    assert (b"".join(steps[:-1]), steps[-1]) == (b"abc", START)


@pytest.mark.parametrize(
    ("parts", "param", "message"),
    [
        ([field("model", "m")], "file", "expected a recording"),
        ([FILE], "model", "expected a name"),
        ([FILE, field("model", "")], "model", "expected a name"),
        ([field("model", "m"), field("language", "x"), FILE], "language", "such as `pt`, got `x`"),
        ([field("model", "m"), field("language", "pt"), FILE, field("language", "es")], "language", "expected once"),
        ([field("response_format", "diarized_json")], "response_format", "json, text, srt, verbose_json, vtt"),
        ([field("timestamp_granularities[]", "letter")], "timestamp_granularities[]", "word or segment"),
        ([field("temperature", "1.1")], "temperature", "0 to 1"),
        ([field("temperature", "warm")], "temperature", "got `warm`"),
    ],
)
def test_a_bad_field_is_named(parts: list[bytes], param: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        heard(*parts)
    error: Any = refused.value.body["error"]

    assert refused.value.status == 400
    assert (error["param"], error["type"], error["code"]) == (param, "invalid_request_error", "invalid_value")
    assert message in error["message"]


def test_what_is_no_form() -> None:
    with pytest.raises(Refused) as not_a_form:
        asked("audio/wav").open()
    request = asked()
    request.open()
    request.hear(FILE)
    with pytest.raises(Refused) as cut_off:
        request.end()

    assert "multipart/form-data" in str(not_a_form.value.body)
    assert "ends too early" in str(cut_off.value.body)


def test_what_whisper_has_no_use_for_is_ignored() -> None:
    request, _ = heard(FILE, field("model", "m"), field("prompt", "x"), field("include[]", "logprobs"))

    assert isinstance(request.answer(1.0), Answer)


def test_keywords_are_listened_for() -> None:
    """They come before the file; what a session would not take is left out."""
    words = field("keywords[]", "Sicoob"), field("keywords[]", "120")
    _, steps = heard(field("model", "m"), field("language", "pt"), *words, FILE)
    (start,) = [step for step in steps if isinstance(step, StartSession)]

    assert start.config.keyterms == ["Sicoob"]
    with pytest.raises(Refused) as refused:
        heard(field("model", "m"), field("language", "pt"), FILE, field("keywords[]", "Sicoob"))
    assert "before the file" in str(refused.value.body)


def test_json_and_text() -> None:
    assert answered() == {"text": "Bom dia. Tudo bem?", "usage": {"type": "duration", "seconds": 7}}
    assert answered(field("response_format", "text")) == "Bom dia. Tudo bem?\n"


def test_verbose_json() -> None:
    """Segments unless only words are asked for; every field that the SDK wants."""
    verbose = field("response_format", "verbose_json")
    plain, words = answered(verbose), answered(verbose, field("timestamp_granularities[]", "word"))
    first, second = plain["segments"]

    assert (plain["task"], plain["language"], plain["duration"]) == ("transcribe", "portuguese", 6.2)
    assert "words" not in plain
    assert (first["id"], first["start"], first["end"], first["text"]) == (0, 1.0, 2.0, "Bom dia.")
    assert (second["id"], second["seek"]) == (2, 500)
    assert first.keys() == {
        "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
        "no_speech_prob",
    }  # fmt: skip
    assert "segments" not in words
    assert words["words"][0] == {"word": "Bom", "start": 1.1, "end": 1.2}
    assert words["words"][-1] == {"word": "bem?", "start": 5.2, "end": 5.3}


def test_the_language_is_told_by_its_name() -> None:
    told = answered(field("response_format", "verbose_json"), field("language", "es-MX"))

    assert told["language"] == "spanish"


def test_subtitles() -> None:
    srt, vtt = (answered(field("response_format", kind)) for kind in ("srt", "vtt"))

    assert srt.startswith("1\n00:00:01,100 --> ")
    assert vtt.startswith("WEBVTT\n\n00:00:01.100 --> ")
    assert "Tudo bem?" in srt


def test_deltas_are_the_text() -> None:
    *deltas, done = answered(field("stream", "True"), stream=True)

    assert [delta["delta"] for delta in deltas] == ["Bom dia.", " Tudo bem?"]
    assert done == {"type": "transcript.text.done", "text": "Bom dia. Tudo bem?"}


def test_an_error_in_a_stream_is_an_event() -> None:
    request, _ = heard(FILE, field("model", "m"), field("stream", "true"))
    refused = request.refuse(500, "Não", "INFERENCE_ERROR")

    assert json.loads(request.broken(refused).removeprefix("data: ")) == {
        "error": {"message": "Não", "type": "server_error", "param": None, "code": "inference_error"}
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (413, "invalid_request_error"),
     (429, "rate_limit_error"), (503, "server_error")],
)  # fmt: skip
def test_errors_have_openai_s_types(status: int, kind: str) -> None:
    refused = asked().refuse(status, "Não", retry_after_ms=200)
    error: Any = refused.body["error"]

    assert (error["type"], error["code"]) == (kind, None)
    assert dict(refused.headers) == {"x-request-id": "id", "retry-after": "1", "retry-after-ms": "200"}


def test_models() -> None:
    """The one that is served by its own name, and by the one that clients know."""
    listed = json.loads(models("base", "id").body)["data"]
    with pytest.raises(Refused) as refused:
        models("base", "id", "gpt-4o")

    assert [one["id"] for one in listed] == ["base", "whisper-1"]
    assert [one["id"] for one in json.loads(models("whisper-1", "id").body)["data"]] == ["whisper-1"]
    assert json.loads(models("base", "id", "base").body)["object"] == "model"
    assert refused.value.status == 404


def translation(*, translates: bool = True) -> OpenAITranslation:
    return OpenAITranslation(Asked(request_id="id", content_type=FORM, language="pt", translates=translates))


def test_a_translation_starts_before_the_file_without_a_language() -> None:
    """Which is what is spoken, where it is given."""
    config = StartConfig(encoding="pcm_s16le", partial_results=False, word_timestamps=False)
    request = translation()

    assert request.task == "translate"
    assert request.open() == []
    assert [*request.hear(field("model", "m")), *request.hear(FILE)][0] == StartSession(config=config)
    with pytest.raises(Refused) as refused:
        request.hear(field("language", "es") + END)
    assert "language: expected once" in str(refused.value.body)


def test_a_translation_is_in_english() -> None:
    """Without words, and never a stream."""
    request = translation()
    request.open()
    for part in (field("model", "m"), field("response_format", "verbose_json"), field("stream", "true")):
        request.hear(part)
    request.hear(
        field("timestamp_granularities[]", "segment") + field("timestamp_granularities[]", "word") + FILE + END
    )
    events = request.tell(final("Good morning."))
    answer = request.answer(3.0)
    assert isinstance(answer, Answer)
    told = json.loads(answer.body)

    assert events == ""
    assert (told["task"], told["language"], told["text"]) == ("translate", "english", "Good morning.")
    assert [one["text"] for one in told["segments"]] == ["Good morning."]
    assert "words" not in told


def test_a_model_that_does_not_translate_says_so_before_the_body_is_read() -> None:
    with pytest.raises(Refused) as refused:
        translation(translates=False).open()
    error: Any = refused.value.body["error"]

    assert (refused.value.status, error["code"], error["param"]) == (400, "model_not_supported", "model")


@pytest.mark.parametrize(
    ("model", "can"),
    [
        ("base", True),
        ("large-v3", True),
        ("/models/whisper-medium-pt", True),
        ("base.en", False),
        ("large-v3-turbo", False),
        ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", False),
        ("distil-large-v3", False),
    ],
)
def test_which_models_translate(model: str, can: bool) -> None:
    assert translates(model) is can
