"""The page at `/`, in a browser, against the service with its real model."""

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.system.stack import Stack
from tests.system.talker import AUDIO, silence, speech

pytestmark = pytest.mark.model

SENTENCE = re.compile(r"Vire . ?direita na avenida Paulista e siga por (800|oitocentos) metros", re.IGNORECASE)
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """"Vire à direita …", with time to connect before it and silence after it."""
    path = tmp_path / "fala.wav"
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", ""))
        wav.writeframes(silence(2.5) + speech("s13_pm_alex") + silence(2))
    return path


def lines(page: Page) -> list[str]:
    """The finals' texts."""
    return page.locator("#finals .said").all_inner_texts()


def test_a_spoken_sentence_appears_while_it_is_spoken(
    model_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page], recording: Path, picture: Callable
) -> None:
    """Microphone to final: partials first, then the sentence, its latency, its words; the chart says what is speech."""
    page = visit(model_stack.http_url, browser=launch(*chromium.hearing(recording)), locale="pt-BR")
    page.get_by_role("button", name="Falar").click()
    partial = page.locator(".partial")
    expect(page.locator("#vad")).to_have_text("Fala")
    expect(partial).to_contain_text("direita")
    expect(partial.locator(".stable")).not_to_be_empty()
    picture(page, "page-speaking")
    expect(page.locator("#finals .said")).to_have_text(SENTENCE)
    expect(page.locator("#vad")).to_have_text("Ouvindo")
    expect(partial).to_have_count(0)
    page.get_by_role("button", name="Parar").click()
    expect(page.get_by_role("button", name="Falar")).to_be_visible()

    assert len(lines(page)) == 1
    expect(page.locator("#spoken")).to_have_text(SENTENCE)
    expect(page.locator("#notice")).to_be_hidden()
    summary = page.locator("#finals summary")
    expect(summary).to_have_text(re.compile(r"^[\d,.]+ m?s depois da última palavra$"))
    summary.click()
    expect(page.locator("#finals dl")).to_contain_text("Modelo")
    expect(page.locator("#finals tbody tr").first).to_contain_text("Vire")
    expect(page.locator("#finals tbody tr").first).to_contain_text("%")
