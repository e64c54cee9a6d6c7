"""The page at `/`, in a browser, against the service with its real model."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from harness.stack import Stack
from tests.browser import chromium
from tests.browser.recordings import drop, spoken, stereo

pytestmark = pytest.mark.model

SENTENCE = re.compile(r"Vir[ea] . ?direita na avenida Paulista e siga por (800|oitocentos) metros", re.IGNORECASE)
BAKERY = re.compile(r"na frente da padaria,? do lado da farmácia", re.IGNORECASE)
REPORT = re.compile(r"Você pode me mandar o relatório", re.IGNORECASE)
REMEMBER_PARTIALS = """
    globalThis.partials = [];
    const remember = () => document.querySelectorAll(".partial").forEach((line) => partials.push(line.textContent));
    new MutationObserver(remember).observe(document.getElementById("pending"), {childList: true, subtree: true});
"""
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 800}


def test_a_spoken_sentence_appears_while_it_is_spoken(
    model_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page], tmp_path: Path
) -> None:
    """Microphone to final: partials first, then the sentence, its latency, its words; what is speech is said."""
    recording = tmp_path / "fala.wav"
    recording.write_bytes(spoken("s24_pf_dora", "s07_pm_alex", "s13_pm_alex", before_s=2.5))
    page = visit(model_stack.http_url, browser=launch(*chromium.hearing(recording)), locale="pt-BR", viewport=WIDE)
    page.evaluate(REMEMBER_PARTIALS)
    page.get_by_role("button", name="Falar").click()
    said, partial, vad = page.locator("#finals .said"), page.locator(".partial"), page.locator("#vad")
    expect(vad).to_have_text("Fala")
    expect(said).to_have_text([BAKERY, REPORT, SENTENCE])
    expect(page.locator("#spoken")).to_have_text(SENTENCE)
    expect(vad).to_have_text("Ouvindo")
    expect(partial).to_have_count(0)
    page.get_by_role("button", name="Parar").click()
    expect(page.get_by_role("button", name="Falar")).to_be_visible()

    expect(said).to_have_count(3)
    assert page.evaluate("partials")
    expect(page.get_by_role("alert")).to_be_hidden()
    summary = page.locator("#finals summary").last
    expect(summary).to_have_text(re.compile(r"^[\d,.]+\sm?s depois da última palavra$"))
    summary.click()
    expect(page.locator("#finals .receipt")).to_contain_text("Modelo")
    expect(page.locator("#finals tbody tr").first).to_have_text(re.compile(r"^Vir[ea]\d,\d\d\d,\d\d\d+%$"))


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="a picture for the README, on a machine with time for it")
def test_speaking_looks_like_this(
    model_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page], tmp_path: Path, picture: Callable
) -> None:
    """A final, and a partial with both its parts."""
    recording = tmp_path / "fala.wav"
    recording.write_bytes(spoken("s24_pf_dora", "s13_pm_alex", before_s=2.5))
    viewport = WIDE | {"height": 640}
    page = visit(model_stack.http_url, browser=launch(*chromium.hearing(recording)), locale="pt-BR", viewport=viewport)
    page.get_by_role("button", name="Falar").click()
    expect(page.locator("#finals .said")).to_have_text([BAKERY])
    expect(page.locator(".stable")).to_contain_text("Paulista")

    picture(page, "page-speaking")


def test_a_dropped_recording_is_transcribed(model_stack: Stack, visit: Callable[..., Page]) -> None:
    """Another rate, two channels, compressed; copied and saved as text and subtitles."""
    page = visit(model_stack.http_url, locale="pt-BR", permissions=["clipboard-read", "clipboard-write"])
    drop(page, stereo("s24_pf_dora"), "padaria.flac")
    said = page.locator("#finals .said")
    expect(said).to_have_text(BAKERY)
    expect(page.get_by_role("button", name="Falar")).to_be_visible()
    page.get_by_role("button", name="Copiar").click()
    expect(page.get_by_role("button", name="Copiado")).to_be_visible()
    with page.expect_download() as txt:
        page.get_by_role("button", name="TXT").click()
    with page.expect_download() as srt:
        page.get_by_role("button", name="SRT").click()
    with page.expect_download() as vtt:
        page.get_by_role("button", name="WebVTT").click()
    with page.expect_download() as document:
        page.get_by_role("button", name="JSON").click()
    expect(page.locator("#finals summary")).to_have_text(re.compile(r"no serviço, para 4,\d\d\ss de fala$"))
    text = said.inner_text()

    assert page.evaluate("navigator.clipboard.readText()") == f"{text}\n"
    names = [download.value.suggested_filename for download in (txt, srt, vtt, document)]
    assert names == ["transcript.txt", "transcript.srt", "transcript.vtt", "transcript.json"]
    assert Path(txt.value.path()).read_bytes() == f"{text}\n".encode()
    number, times, *cue = Path(srt.value.path()).read_text().splitlines()
    assert number == "1"
    assert re.fullmatch(r"00:00:00,\d{3} --> 00:00:0[345],\d{3}", times)
    assert " ".join(cue).strip() == text
    assert Path(vtt.value.path()).read_text().splitlines()[:2] == ["WEBVTT", ""]
    told = json.loads(Path(document.value.path()).read_text())
    assert told["text"] == text
    assert [word["word"] for word in told["segments"][0]["words"]] == text.split()


def test_recordings_follow_each_other(model_stack: Stack, visit: Callable[..., Page]) -> None:
    """Chosen by hand, several utterances, options off; the second's times go on where the first's ended."""
    page = visit(model_stack.http_url, locale="en-US")
    page.get_by_text("Options").click()
    page.get_by_label("Show text while speaking").uncheck()
    page.get_by_label("Times and probabilities of words").uncheck()
    for clips in (("s24_pf_dora", "s04_pm_alex"), ("s13_pm_alex",)):
        recording = {"name": "a.wav", "mimeType": "audio/wav", "buffer": spoken(*clips)}
        page.locator("#file").set_input_files(recording)
        expect(page.get_by_role("button", name="Talk")).to_be_hidden()
        expect(page.get_by_role("button", name="Talk")).to_be_visible()
    said = page.locator("#finals .said")
    starts = [int(text.partition(":")[2]) for text in page.locator("#finals time").all_inner_texts()]

    expect(said).to_have_text([BAKERY, re.compile("reunião"), SENTENCE])
    assert starts[0] <= 1
    assert 4 <= starts[1] < starts[2]
    assert starts[2] >= 10, "two clips and their pauses take over 10 s"
    expect(page.locator("#legend")).to_be_hidden()
    page.get_by_role("button", name="Clear").click()
    expect(said).to_have_count(0)
    expect(page.get_by_role("button", name="Copy")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "narrow"])
def test_everybody_can_use_it(
    model_stack: Stack, visit: Callable[..., Page], picture: Callable, scheme: str, viewport: dict[str, int]
) -> None:
    """Axe finds nothing serious, empty, with everything open or in English; nothing is wider than the screen."""
    page = visit(model_stack.http_url, locale="pt-BR", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    shape = "wide" if viewport is WIDE else "narrow"
    assert chromium.serious_findings(page) == []
    drop(page, spoken("s24_pf_dora", "s07_pm_alex", "s13_pm_alex"))
    expect(page.locator("#finals li")).to_have_count(3)
    expect(page.get_by_role("button", name="Falar")).to_be_visible()
    assert chromium.serious_findings(page) == []
    picture(page, f"page-{scheme}-{shape}")
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("#file").set_input_files({"name": "notas.txt", "mimeType": "text/plain", "buffer": b"?"})
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot decode notas.txt")
    expect(page.locator("html")).to_have_attribute("lang", "en")

    assert chromium.serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_it_works_without_a_mouse(
    model_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page], tmp_path: Path
) -> None:
    """Tab reaches every control in order, the focus is seen, Enter starts and ends the talk."""
    recording = tmp_path / "fala.wav"
    recording.write_bytes(spoken("s24_pf_dora", before_s=1.5))
    page = visit(model_stack.http_url, browser=launch(*chromium.hearing(recording)), locale="en-US")
    reached, seen = [], []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        seen.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    page.get_by_role("button", name="Talk").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#finals .said")).to_have_text(BAKERY)
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Talk")).to_be_focused()
    assert reached[:4] == ["Português", "English", "talk", "file"]
    assert [name.split()[0] for name in reached[4:7]] == ["Directions", "An", "Two"]
    assert reached[7:11] == ["language", "Options", "The code for this", "Messages, as they go over the wire"]
    assert set(seen[:11]) == {"solid"}


def test_the_language_of_the_page_is_remembered(model_stack: Stack, visit: Callable[..., Page]) -> None:
    """The browser's at first, then the one chosen; the languages to speak have names in it."""
    page = visit(model_stack.http_url, locale="pt-BR")
    expect(page.get_by_label("Idioma falado").locator("option:checked")).to_have_text("português")
    page.get_by_role("button", name="English").click()
    page.reload()

    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    expect(page.get_by_label("Language spoken").locator("option:checked")).to_have_text("Portuguese")
