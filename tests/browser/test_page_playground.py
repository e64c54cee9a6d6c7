"""What the page offers a stranger: samples, the code of what was done, messages, progress, a transcript that stays."""

import base64
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from harness.audio import speech
from harness.stack import Stack
from tests.browser import chromium
from tests.browser.programs import code, run, run_all
from tests.browser.recordings import CANCEL_THE_LAST, drop, spoken

SENTENCE = re.compile(r"Vir[ea] . ?direita na avenida Paulista e siga por (800|oitocentos) metros", re.IGNORECASE)
CLIPS = ("s24_pf_dora", "s07_pm_alex", "s13_pm_alex")
WIDE = {"width": 1280, "height": 800}
CONFIG = {
    "lang_code": "pt",
    "sample_rate": 16000,
    "vad_enabled": True,
    "vad_threshold": 0.5,
    "partial_results": True,
    "word_timestamps": True,
    "format": "pt-BR",
}


def programs(page: Page, source: dict[str, str], config: dict[str, object] = CONFIG) -> dict[str, str]:
    """Those of `code.js`, for this very service."""
    body = """async ([config, source]) => {
        const { programs } = await import("/static/transcription/code.js");
        const service = { address: `ws://${location.host}/ws/stt`, base: `${location.origin}/`, keyed: false };
        return Object.fromEntries(programs(service, config, source));
    }"""
    return page.evaluate(body, [config, source])


@pytest.mark.model
def test_a_sample_and_its_code(model_stack: Stack, visit: Callable[..., Page], tmp_path: Path) -> None:
    """Played without a microphone, whatever language is chosen; the programs shown hear the same, as they stand."""
    page = visit(model_stack.http_url, locale="en-US", viewport=WIDE)
    page.get_by_label("Language spoken").select_option("fr")
    page.get_by_role("button", name="Directions").click()
    expect(page.locator("#progress")).to_have_text(re.compile(r"directions.wav\s+0:0\d of 0:05 · \d+%"))
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator(".partial")).not_to_be_empty()
    expect(page.locator("#finals .said")).to_have_text(SENTENCE)
    expect(page.locator("#finals summary")).to_have_text(re.compile("after the last word$"))
    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    expect(page.locator("#progress")).to_be_hidden()
    page.get_by_text("The code for this").click()
    shown = code(page)

    assert list(shown) == ["curl", "Python", "JavaScript", "LiveKit"]
    assert all(SENTENCE.search(printed) for printed in run_all(shown, tmp_path).values())


LOOKS = {
    "wide-light-en": ({"width": 1280, "height": 800}, 1760),
    "wide-dark-pt": ({"width": 1280, "height": 800}, 1760),
    "narrow-light-pt": ({"width": 390, "height": 844}, 2560),
    "narrow-dark-en": ({"width": 390, "height": 844}, 2560),
}


@pytest.mark.model
@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="pictures for the documentation")
@pytest.mark.parametrize("look", LOOKS)
def test_it_looks_like_this(model_stack: Stack, visit: Callable[..., Page], picture: Callable, look: str) -> None:
    """A sample being played, what is known of it afterwards, and a session that an operator cancels."""
    viewport, tall = LOOKS[look]
    _, scheme, language = look.split("-")
    locale = {"en": "en-US", "pt": "pt-BR"}[language]
    page = visit(model_stack.http_url, locale=locale, color_scheme=scheme, viewport=viewport)
    sample = page.locator(".sample").nth(2)
    sample.click()
    expect(page.locator(".partial").first).to_contain_text("padaria")
    picture(page, f"page-sample-{look}")
    expect(page.locator("#finals li")).to_have_count(2)
    expect(page.locator("#talk[data-phase=idle]")).to_be_visible()
    page.set_viewport_size(viewport | {"height": tall})
    page.locator("#finals summary").last.click()
    for panel in ("#code summary", "#messages summary"):
        page.locator(panel).click()
    page.evaluate("scrollTo(0, 0)")
    picture(page, f"page-programs-{look}")
    page.set_viewport_size(viewport)
    page.locator("#clear").click()
    page.evaluate("document.querySelectorAll('.programs details').forEach((panel) => (panel.open = false))")
    sample.click()
    expect(page.locator("#talk[data-phase=live]")).to_be_visible()
    model_stack.manage("shell", "-v", "0", "-c", CANCEL_THE_LAST)
    expect(page.locator("#notice")).to_have_attribute("data-name", "operator")
    page.evaluate("scrollTo(0, 0)")
    picture(page, f"page-cancelled-{look}")


def test_the_livekit_code_makes_what_it_says(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """In a checkout the plugin has another name; an event loop is what an agent has."""
    shown = programs(visit(echo_stack.http_url), {"kind": "microphone"})["LiveKit"]
    made: dict[str, Any] = {}
    exec(shown.replace("livekit.plugins.whisper_stt", "clients.livekit_plugin").partition("session = ")[0], made)

    assert made["stt"].label.endswith("WhisperSTT")
    assert made["stt"].capabilities.interim_results
    assert f'service_url="{echo_stack.ws_url}"' in shown
    assert 'text_format="pt-BR"' in shown


def test_the_code_of_a_microphone(
    echo_stack: Stack, visit: Callable[..., Page], launch: Callable[..., Browser], tmp_path: Path
) -> None:
    """Python is piped what is said; a page of another's listens by itself."""
    recording = tmp_path / "fala.wav"
    recording.write_bytes(spoken("s24_pf_dora", before_s=1.0))
    browser = launch(*chromium.hearing(recording))
    page = visit(echo_stack.http_url, browser=browser, bypass_csp=True)
    shown = programs(page, {"kind": "microphone"})
    with page.expect_console_message(lambda message: message.text.startswith("final_transcript")):
        page.evaluate(f"() => {{ {shown['JavaScript']} }}")
    heard = run("Python", shown["Python"], tmp_path, spoken=speech("s24_pf_dora"))

    assert [line.split()[0] for line in heard.splitlines()][-2:] == ["final_transcript", "session_ended"]


def test_the_code_of_any_file(echo_stack: Stack, visit: Callable[..., Page], tmp_path: Path) -> None:
    """Whatever its name; Python and JavaScript want it as samples, and say how."""
    name = """it's a "call" $(touch hacked) `x`; ação.wav"""
    (tmp_path / name).write_bytes(spoken("s18_pf_dora"))
    (tmp_path / "talk.pcm").write_bytes(speech("s18_pf_dora"))
    shown = programs(visit(echo_stack.http_url), {"kind": "file", "name": name}, CONFIG | {"word_timestamps": False})

    assert '"text"' in run("curl", shown["curl"], tmp_path)
    for language in ("Python", "JavaScript"):
        assert "ffmpeg -i 'it'\\''s a" in shown[language].partition("\nimport")[0]
        assert "final_transcript" in run(language, shown[language], tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_the_messages_of_a_session(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Both ways, frames of audio as one; also when the panel is open before. The code is of what was done."""
    page = visit(echo_stack.http_url, locale="en-US")
    page.get_by_text("Messages, as they go over the wire").click()
    expect(page.locator("#messages")).to_contain_text("No session yet.")
    drop(page, spoken("s18_pf_dora"), "pão.wav")
    lines = page.locator("#messages-list li")
    expect(lines.last).to_contain_text("session_ended")
    texts = lines.all_inner_texts()
    page.get_by_text("The code for this").click()
    expect(page.locator("#code-text")).to_contain_text('file=@"pão.wav"')
    for _ in ("closed", "open"):
        page.get_by_text("Messages, as they go over the wire").click()
    expect(lines).to_have_count(len(texts))

    assert "start_session" in texts[0]
    assert "→" in texts[0]
    assert "←" in texts[1]
    assert re.search(r"audio: \d+ frames, \d+ bytes", texts[2])
    assert any("final_transcript" in text for text in texts)
    assert chromium.serious_findings(page) == []


def test_messages_are_bounded(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """The last 500, on the page and off it."""
    page = visit(echo_stack.http_url)
    page.locator("#messages summary").click()
    note = """async () => {
        const m = await import("/static/transcription/messages.js");
        for (let i = 0; i < 700; i++) m.note("received", { i });
    }"""
    page.evaluate(note)
    expect(page.locator("#messages-list li")).to_have_count(500)
    page.get_by_role("button", name="English").click()

    expect(page.locator("#messages-list li")).to_have_count(500)
    expect(page.locator("#messages-list li").first).to_contain_text('{"i":200}')


def test_how_far_a_recording_is(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Seconds and percent, in place of what to press; a dragged file is told what becomes of it."""
    page = visit(echo_stack.http_url, locale="pt-BR")
    transfer = page.evaluate_handle("() => { const t = new DataTransfer(); t.items.add(new File([], 'a')); return t; }")
    page.dispatch_event("main", "dragenter", {"dataTransfer": transfer})
    over = page.evaluate("getComputedStyle(document.body, '::after').content")
    page.dispatch_event("main", "dragleave", {"dataTransfer": transfer})
    drop(page, spoken(*CLIPS), "três.wav")
    expect(page.locator("#progress")).to_have_text(re.compile(r"três.wav\s+0:0\d de 0:14 · [1-9]\d?%"))
    expect(page.locator("#empty")).to_be_hidden()
    assert 0 < page.locator("#progress-bar").evaluate("(bar) => bar.value") < 1
    expect(page.get_by_role("button", name="Falar")).to_be_visible()
    expect(page.locator("#progress")).to_be_hidden()

    assert over == '"Solte para transcrever"'


def test_the_transcript_outlives_a_reload(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """For as long as the tab; what was half said, too; until it is cleared. Times go on."""
    page = visit(echo_stack.http_url, locale="en-US")
    said = page.locator("#finals .said")
    drop(page, spoken("s18_pf_dora"))
    expect(page.locator("#talk[data-phase=live]")).to_be_visible()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    whole = said.all_inner_texts()
    page.get_by_role("button", name="Directions").click()
    expect(page.locator(".partial")).not_to_be_empty()
    page.reload()
    expect(said).to_have_count(len(whole) + 1)
    expect(page.locator(".unfinished")).to_have_count(1)
    page.locator("#finals summary").first.click()
    expect(page.locator("#finals .receipt").first).to_be_visible()
    times = page.locator("#finals time").all_inner_texts()

    assert said.all_inner_texts()[: len(whole)] == whole
    assert times[-1] >= "0:04"
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#empty")).to_be_visible()
    page.reload()
    expect(page.locator("#empty")).to_be_visible()
    expect(said).to_have_count(0)


FULL = """() => {
    const store = Storage.prototype.setItem;
    Storage.prototype.setItem = function (name, value) {
        if (name === "transcript") throw new DOMException("", "QuotaExceededError");
        store.call(this, name, value);
    };
}"""


def test_what_another_version_kept(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Is not looked at. Where there is no room, the page says so and has the text all the same."""
    page = visit(echo_stack.http_url, locale="en-US")
    for kept in ("{", '{"version": 0, "finals": [1]}', "null"):
        page.evaluate("(kept) => (sessionStorage.transcript = kept)", kept)
        page.reload()
        expect(page.locator("#empty")).to_be_visible()
    page.evaluate(FULL)
    drop(page, spoken("s18_pf_dora"))

    expect(page.locator("#notice")).to_have_attribute("data-name", "notKept")
    expect(page.locator("#finals .said")).not_to_be_empty()


def test_a_sample_that_cannot_be_fetched(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Is no fault of the browser's."""
    page = visit(echo_stack.http_url, locale="en-US")
    page.context.route("**/samples/*", lambda route: route.abort())
    page.get_by_role("button", name="Directions").click()

    expect(page.locator("#notice")).to_have_attribute("data-name", "unreachable")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()


def test_one_right_edge(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Of the head, the transcript, what programs want, and the foot."""
    page = visit(echo_stack.http_url, viewport=WIDE)
    edges = """() => [".tongues button + button", ".transcript > header", "#clear", ".programs", "footer a:last-child"]
        .map((name) => Math.round(document.querySelector(name).getBoundingClientRect().right))"""

    assert set(page.evaluate(edges)) == {1208}


PARTIALS = """async () => {
    const m = await import("/static/transcription/partials.js");
    const heard = (segment_id, text) => m.show({ segment_id, text, audio_end_ms: 1500 }, 1, "pt");
    const shown = () => [...document.querySelectorAll(".partial")].map((line) => [line.textContent, line.className]);
    const found = [];
    const step = (act) => { act(); found.push(shown()); };
    step(() => { heard("seg-0003", "um"); heard("seg-0004", "dois"); });
    step(() => m.wait(true));
    step(() => m.drop("seg-0003"));
    step(() => heard("seg-0004", "dois três"));
    step(() => m.wait(false));
    step(() => heard("seg-0001", "dois"));
    found.push(m.take());
    step(() => {});
    return found;
}"""


def test_what_was_half_said_stays_until_it_is_heard_again(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """By the session that was resumed, or by a new one, whose segments count from the first."""
    found = visit(echo_stack.http_url).evaluate(PARTIALS)

    assert found == [
        [["um", "partial"], ["dois", "partial"]],
        [["um", "partial waiting"], ["dois", "partial waiting"]],
        [["dois", "partial waiting"]],
        [["dois três", "partial"]],
        [["dois três", "partial waiting"]],
        [["dois", "partial"]],
        [{"segment": "seg-0001", "text": "dois", "start": 1, "end": 1.5, "lang": "pt"}],
        [],
    ]


def test_a_recording_goes_on_from_where_it_is_told(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Not from its beginning; its length and how far it is are known."""
    body = """async (text) => {
        const { Recording } = await import("/static/transcription/recording.js");
        const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const recording = new Recording(new File([bytes], "a.wav"));
        const found = [recording.ms, recording.sentMs];
        await recording.open();
        recording.rewind(recording.ms - 500);
        found.push(recording.ms, recording.sentMs);
        let frames = 0;
        await recording.start(() => (frames += 1), () => ({ bytes: 0, finals: 0 }));
        return [...found, frames, recording.sentMs];
    }"""
    wav = spoken("s18_pf_dora")
    length = (len(wav) - 44) / 32
    found = visit(echo_stack.http_url).evaluate(body, base64.b64encode(wav).decode())

    assert found == pytest.approx([0, 0, length, length - 500, 25, length], abs=0.1)


RECEIPT = """async (latencies) => {
    const { receipt } = await import("/static/transcription/receipt.js");
    const parts = { queue_wait_ms: 100, preprocess_ms: 50, inference_ms: 800, postprocess_ms: 50 };
    const widths = (bar) => [...bar.children].map((part) => parseFloat(part.style.width));
    return latencies.map((latency) => {
        const made = receipt({ latency, timing: { ...parts, server_total_ms: 1000 }, confidence: 0.9 });
        const bars = [...made.querySelectorAll(".bar")].map(widths);
        return [bars, made.querySelectorAll("dl div").length, made.textContent.includes("Decoded ahead")];
    });
}"""
RECEIPTS = [
    (None, [[10, 5, 80, 5]], 6, False),
    ({"afterSpeech": 2000, "afterEnd": 1500}, [[25, 75], [5, 2.5, 40, 2.5]], 9, False),
    ({"afterSpeech": 500, "afterEnd": 10}, [[49, 1], [10, 5, 80, 5]], 9, True),
    ({"afterSpeech": None, "afterEnd": 1250}, [[100], [8, 4, 64, 4]], 7, False),
]
"""Latency; the widths of the parts of its bars, per cent; rows of figures; whether it was decoded ahead."""


def test_the_receipt_in_bars(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """To one scale, the longer one's; the server's parts beside the wait that they are a part of."""
    found = visit(echo_stack.http_url, locale="en-US").evaluate(RECEIPT, [latency for latency, *_ in RECEIPTS])

    assert found == [[[pytest.approx(bar) for bar in bars], *rest] for _, bars, *rest in RECEIPTS]
