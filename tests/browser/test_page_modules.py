"""The page's modules that compute, called in the browser one by one."""

import base64
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.recordings import stereo
from tests.system.stack import Stack
from tests.system.talker import speech

RATE = 16_000
MODULES = "/static/transcription"


@pytest.fixture
def call(echo_stack: Stack, visit: Callable[..., Page]) -> Callable[..., Any]:
    """`call(module, body, argument)`: a function's body, with the module's names in `m` and the argument in `a`."""
    page = visit(echo_stack.http_url)

    def call(module: str, body: str, argument: object = None) -> Any:
        return page.evaluate(f"async (a) => {{ const m = await import('{MODULES}/{module}.js'); {body} }}", argument)

    return call


def tone(frequency: float, rate: int, seconds: float = 0.5) -> list[float]:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).tolist()


RESAMPLE = """
    const resampler = new m.Resampler(a.rate, 16000), out = [];
    for (let i = 0; i < a.samples.length; i += a.block) {
        out.push(...resampler.push(Float32Array.from(a.samples.slice(i, i + a.block))));
    }
    return out;
"""


def resampled(call: Callable[..., Any], samples: list[float], rate: int, block: int = 512) -> np.ndarray:
    return np.array(call("resampler", RESAMPLE, {"samples": samples, "rate": rate, "block": block}))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_speech_passes_the_resampler(call: Callable[..., Any], rate: int) -> None:
    """A tone of 1 kHz comes out at 16 kHz with its frequency and level, as long as it went in."""
    out = resampled(call, tone(1_000, rate), rate)
    middle = out[1_000:7_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))

    assert len(out) == pytest.approx(8_000, abs=2)
    assert np.argmax(spectrum) * RATE / len(middle) == pytest.approx(1_000, abs=3)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("frequency", [8_700, 12_000, 15_000])
def test_what_would_alias_is_gone(call: Callable[..., Any], rate: int, frequency: int) -> None:
    """Above 8 kHz: down by 60 dB."""
    out = resampled(call, tone(frequency, rate), rate)

    assert np.abs(out[1_000:7_000]).max() < 0.5 / 1_000


def test_blocks_do_not_matter(call: Callable[..., Any]) -> None:
    """The same samples, however they are cut."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 9_000).tolist()
    once, pieces = (resampled(call, samples, 44_100, block) for block in (9_000, 37))

    np.testing.assert_allclose(once, pieces, atol=1e-7)


def test_frames_are_20_ms_of_pcm(call: Callable[..., Any]) -> None:
    """Clipped, not wrapped; the last one as short as it is; with their level."""
    frames = call(
        "frames",
        """const found = [], framer = new m.Framer((frame, level) => found.push([[...frame], level]));
           framer.push(Float32Array.from(a)); framer.flush(); return found;""",
        [0.5] * 320 + [2.0, -2.0, 0.0],
    )

    assert frames[0][0] == [16384] * 320
    assert frames[0][1] == pytest.approx(-6.02, abs=0.01)
    assert frames[1][0] == [32767, -32767, 0]
    assert len(frames) == 2


def test_a_recording_waits_for_the_service(call: Callable[..., Any]) -> None:
    """Nothing is sent while finals are awaited or bytes pile up; then all of it, in its order, mixed down."""
    body = """
        const bytes = Uint8Array.from(atob(a), (c) => c.charCodeAt(0)), sent = [];
        const recording = new m.Recording(new File([bytes], "a.flac"));
        let polls = 0, early = 0;
        await recording.open();
        await recording.start(
            (frame) => { early += polls <= 6; sent.push(...frame); },
            () => ({finals: ++polls <= 3 ? 3 : 0, bytes: polls > 3 && polls <= 6 ? 100_000 : 0}));
        return [early, sent];
    """
    early, sent = call("recording", body, base64.b64encode(stereo("s18_pf_dora")).decode())
    wanted = np.frombuffer(speech("s18_pf_dora"), "<i2") / 2
    heard = np.array(sent)[4_800 : 4_800 + len(wanted)]

    assert early == 0
    assert np.corrcoef(wanted, heard)[0, 1] > 0.99
    assert np.std(heard) == pytest.approx(np.std(wanted), rel=0.05)


def word(text: str, start: float, end: float) -> dict[str, object]:
    return {"word": text, "start": start, "end": end, "probability": 0.9}


def test_words_are_found_in_their_text(call: Callable[..., Any]) -> None:
    """Compounds in parts, the same word twice, a word that is not there; nothing of the text is lost."""
    text = "“Ao meio-dia”, ao sol."
    words = [word(part, i, i + 1) for i, part in enumerate(["“Ao", "meio", "-dia”,", "lua", "ao", "sol."])]
    found = call("words", "return m.pieces(a[0], a[1])", [text, words])

    assert "".join(piece["text"] for piece in found) == text
    assert [piece["text"] for piece in found if piece["word"]] == ["“Ao", "meio", "-dia”,", "ao", "sol."]
    assert call("words", "return a.map(m.sureness)", [0, 0.49, 0.5, 0.7, 0.89, 0.9, 1]) == [0, 0, 1, 2, 2, 3, 3]


def test_subtitles_are_short_and_whole(call: Callable[..., Any]) -> None:
    """A long final becomes cues of two lines and seven seconds at most, cut at a pause; all its words are there."""
    said = [f"palavra{i}" for i in range(60)]
    words = [
        word(text, i * 0.5 + (5 if i >= 30 else 0), i * 0.5 + 0.4 + (5 if i >= 30 else 0))
        for i, text in enumerate(said)
    ]
    final = {"text": " ".join(said), "words": words, "start": 3600, "duration": 40}
    srt = call("subtitles", "return m.srt(a)", [final])
    cues = [cue.splitlines() for cue in srt.strip().split("\n\n")]
    spans = call("subtitles", "return m.cues(a)", final)

    assert [int(cue[0]) for cue in cues] == list(range(1, len(cues) + 1))
    assert all(re.fullmatch(r"01:00:\d\d,\d{3} --> 01:00:\d\d,\d{3}", cue[1]) for cue in cues)
    assert all(len(cue) in {3, 4} and max(map(len, cue[2:])) <= 50 for cue in cues)
    assert " ".join(" ".join(cue[2:]) for cue in cues) == final["text"]
    assert all(0 < span["end"] - span["start"] <= 7 for span in spans)
    assert any(span["text"].endswith("palavra29") for span in spans), "a pause of 5 s follows it"


def test_subtitles_without_word_times(call: Callable[..., Any]) -> None:
    """A cue a final; nothing for one without text."""
    finals = [
        {"text": "Um.", "words": [], "start": 0.5, "duration": 1.25},
        {"text": "", "words": [], "start": 2, "duration": 1},
        {"text": "Dois.", "words": [], "start": 61, "duration": 2},
    ]

    assert call("subtitles", "return m.srt(a)", finals) == (
        "1\n00:00:00,500 --> 00:00:01,750\nUm.\n\n2\n00:01:01,000 --> 00:01:03,000\nDois.\n"
    )


def test_latency_counts_from_the_last_sound(call: Callable[..., Any]) -> None:
    """From when the sound at `t_ms` was sent; unknown once frames were dropped, and without a `speech_end`."""
    body = """
        const line = new m.Timeline(), found = [];
        const end = (id) => line.event({state: "speech_end", t_ms: 100, segment_id: id}, 700);
        for (let i = 0; i < 50; i++) line.frame(-20, 20 * i);
        line.event({state: "speech_start", t_ms: 40, segment_id: "a"}, 300);
        found.push(line.speaking); end("a"); found.push(line.speaking, line.awaited);
        found.push(line.final("a", 900), line.awaited, line.final("b", 900));
        line.dropped(); end("c"); found.push(line.final("c", 900));
        return [found, line.speech, line.ms];
    """
    found, speech, ms = call("timeline", body)

    assert found == [
        True,
        False,
        1,
        {"afterEnd": 200, "afterSpeech": 800},
        0,
        None,
        {"afterEnd": 200, "afterSpeech": None},
    ]
    assert speech == [[2, 5]]
    assert ms == 1000


def test_both_languages_have_every_text(call: Callable[..., Any]) -> None:
    """The same names, the same places to fill in."""
    texts = call("texts", "return m.TEXTS")
    holes = {tongue: {name: re.findall(r"\{\w+\}", text) for name, text in texts[tongue].items()} for tongue in texts}

    assert set(texts) == {"en", "pt"}
    assert holes["en"] == holes["pt"]
    assert all(all(text.strip() for text in tongue.values()) for tongue in texts.values())


def test_the_page_s_texts_are_the_english_ones(call: Callable[..., Any], echo_stack: Stack) -> None:
    """What page.html says before scripts run."""
    shown = """
        const sent = await (await fetch("/", {headers: {Accept: "text/html"}})).text();
        const fresh = new DOMParser().parseFromString(sent, "text/html");
        return [...fresh.querySelectorAll("[data-text]")].map((e) => [e.dataset.text, e.textContent])
            .concat([...fresh.querySelectorAll("[data-label]")].map((e) => [e.dataset.label, e.ariaLabel]));
    """
    texts = call("texts", "return m.TEXTS.en")
    found = call("texts", shown)

    assert len(found) > 20
    assert [pair for pair in found if texts[pair[0]] != pair[1]] == []
