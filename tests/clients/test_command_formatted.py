"""`--formatted`, `--redact`, `--keyterm`, `--external-id` and `--tag` of the command."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from whisper_stt.cli.written import as_written
from whisper_stt.session.messages import Entity, FinalTranscript, Timing, Word

from tests.clients.commands import SPEECH, command, started
from tests.clients.scripted_service import Peer, ScriptedService

SAID = "são vinte e cinco reais e sete centavos, e pronto."
WRITTEN = "são R$ 25,07, e pronto."
MONEY = {
    "type": "money",
    "text": "R$ 25,07",
    "value": "25.07",
    "currency": "BRL",
    "start": 4,
    "end": 12,
    "spoken_start": 4,
    "spoken_end": 39,
    "start_s": 0.1,
    "end_s": 0.8,
}


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with ScriptedService() as scripted:
        scripted.scripts = [one_price]
        yield scripted


async def one_price(peer: Peer) -> None:
    """Formats as it is asked to, as the service does."""
    await peer.accept()
    asked = peer.start["config"]
    fields = {"text_formatted": WRITTEN, "entities": [MONEY]} if asked.get("format") == "pt-BR" else {}
    await peer.hear(ms=1000)
    await peer.final(SAID, 0, 1200, **fields)
    await peer.hear(until="end_session")
    await peer.end()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("txt", f"[00:00:00.000 → 00:00:01.200] {WRITTEN}\n"),
        ("srt", f"1\n00:00:00,000 --> 00:00:01,352\n{WRITTEN}\n"),
        ("vtt", f"WEBVTT\n\n00:00:00.000 --> 00:00:01.352\n{WRITTEN}\n"),
    ],
)
async def test_texts_are_as_written(service: ScriptedService, kind: str, expected: str) -> None:
    """Only if asked."""
    told = await started("transcribe", "--url", service.url, "--format", kind, "--formatted", SPEECH)
    plain = await started("transcribe", "--url", service.url, "--format", kind, SPEECH)

    assert told == (0, expected, "")
    assert SAID in plain[1].replace("\n", " ")


async def test_json_has_both(service: ScriptedService) -> None:
    """And the entities; without being asked, neither."""
    options = ("transcribe", "--url", service.url, "--format", "json")
    (segment,) = json.loads((await started(*options, "--formatted", SPEECH))[1])["segments"]
    (plain,) = json.loads((await started(*options, SPEECH))[1])["segments"]

    assert (segment["text"], segment["text_formatted"], segment["entities"]) == (SAID, WRITTEN, [MONEY])
    assert segment.keys() - plain.keys() == {"text_formatted", "entities"}


async def test_terms_are_listened_for(service: ScriptedService) -> None:
    """As often as the option is given; without it nothing is asked for."""
    await started("transcribe", "--url", service.url, "--keyterm", "Sicoob", "--keyterm", "Conta Fácil", SPEECH)
    await started("transcribe", "--url", service.url, SPEECH)

    assert service.peers[0].start["config"]["keyterms"] == ["Sicoob", "Conta Fácil"]
    assert "keyterms" not in service.peers[1].start["config"]


async def test_what_is_to_be_redacted_is_asked_for(service: ScriptedService) -> None:
    """Of kinds that there are."""
    await started("transcribe", "--url", service.url, "--redact", "cpf,email", SPEECH)
    wrong = await asyncio.to_thread(command, "transcribe", "--redact", "cpf,rg", SPEECH)

    assert service.peers[0].start["config"]["redact"] == ["cpf", "email"]
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--redact: expected some of cpf, card, phone, email, got rg" in wrong.stderr


async def test_what_a_call_is_found_by_is_told(service: ScriptedService) -> None:
    """An id, and as many tags as are given; without any the service is told nothing it may not know."""
    found = ("--external-id", "CRM-4711", "--tag", "sales", "--tag", "callback")
    await started("transcribe", "--url", service.url, *found, SPEECH)
    await started("transcribe", "--url", service.url, SPEECH)

    assert service.peers[0].start["metadata"] == {"external_id": "CRM-4711", "tags": ["sales", "callback"]}
    assert "metadata" not in service.peers[1].start


def test_words_of_an_entity_are_one() -> None:
    """With the signs beside it; those not in the text are left out, a final that is not formatted stays as it is."""
    words = [Word(word=word, start=at, end=at + 0.5, probability=1 - at / 10) for at, word in enumerate(SAID.split())]
    timing = Timing(preprocess_ms=0, queue_wait_ms=0, inference_ms=0, postprocess_ms=0, server_total_ms=0)
    about: dict[str, Any] = {"session_id": "s", "segment_id": "seg-1", "confidence": 1.0, "timing": timing}
    plain = FinalTranscript(text=SAID, words=words, audio_duration_ms=9000, **about)
    final = FinalTranscript(
        text=SAID,
        words=[*words, Word(word="?", start=9, end=10, probability=1)],
        audio_duration_ms=9000,
        text_formatted=WRITTEN,
        entities=[Entity(**MONEY)],
        **about,
    )
    written = as_written(final)

    assert as_written(plain) is plain
    assert [word.word for word in written.words] == ["são", "R$ 25,07,", "e", "pronto."]
    assert (written.words[1].start, written.words[1].end, written.words[1].probability) == (1, 7.5, pytest.approx(0.3))
    assert " ".join(word.word for word in written.words) == written.text


@pytest.mark.model
def test_real_service(model_stack: Any) -> None:
    """What was dictated in words is in figures, in the lines and in the entities."""
    told = command("transcribe", "--url", model_stack.ws_url, "--formatted", "--format", "json", SPEECH)
    (segment, *_) = json.loads(told.stdout)["segments"]

    assert told.returncode == 0, told.stderr
    assert "800 metros" in segment["text_formatted"]
    assert all(segment["text_formatted"][e["start"] : e["end"]] == e["text"] for e in segment["entities"])
