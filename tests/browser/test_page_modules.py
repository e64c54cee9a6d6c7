"""The page's modules that compute, called in the browser one by one."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from harness.audio import speech
from harness.stack import Stack
from tests.browser.recordings import stereo

RATE = 16_000
MODULES = "/static/transcription"
GOLDEN = Path(__file__).parents[1] / "contract/subtitles"


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


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])
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


def test_a_frame_that_is_broken_off_ends_in_silence(call: Callable[..., Any]) -> None:
    """What is heard later does not follow what was heard before."""
    frames = call(
        "frames",
        """const found = [], framer = new m.Framer((frame) => found.push([...frame])), samples = Float32Array.from(a);
           framer.pad(); framer.push(samples); framer.pad(); framer.push(samples); framer.flush(); return found;""",
        [0.5] * 100,
    )

    assert frames == [[16384] * 100 + [0] * 220, [16384] * 100]


KEPT = """
    const backlog = new m.Backlog(), found = [];
    const push = (count, value) => { for (let i = 0; i < count; i++) backlog.push(new Int16Array(320).fill(value)); };
    const take = (keep = true) => {
        const taken = [];
        for (let part; (part = backlog.take(keep)); ) {
            taken.push(part.pcm ? [part.start, part.pcm.length, part.pcm[0]] : "flush");
        }
        return taken;
    };
"""


def test_audio_is_sent_in_order_and_again(call: Callable[..., Any]) -> None:
    """From amid a frame too, with the ends of utterances where they were; not what is transcribed."""
    body = f"""{KEPT}
        push(2, 1); backlog.flush(); push(1, 2);
        found.push(backlog.unsent, take(), backlog.unsent);
        found.push(backlog.rewind(400), take(), backlog.rewind(640), take());
        backlog.confirm(640); push(1, 3);
        found.push(backlog.rewind(0), take(), backlog.rewind(960), take(), backlog.rewind(9_999));
        return found;
    """
    flushed = ["flush", [640, 320, 2]]

    assert call("backlog", body) == [
        960,
        [[0, 320, 1], [320, 320, 1], *flushed],
        0,
        *(400, [[400, 240, 1], *flushed]),
        *(640, flushed),
        *(640, [[640, 320, 2], [960, 320, 3]]),
        *(960, [[960, 320, 3]]),
        1280,
    ]


@pytest.mark.parametrize(("keep", "seconds"), [(True, 600), (False, 15)])
def test_what_is_kept_is_bounded(call: Callable[..., Any], keep: bool, seconds: int) -> None:
    """Speech that has no final for ten minutes, silence for 15 s."""
    body = f"{KEPT} push(35_000, 1); take(a); return [backlog.rewind(0), take(true).length];"
    start, frames = call("backlog", body, keep)

    assert frames == pytest.approx(50 * seconds, abs=2)
    assert start == (35_000 - frames) * 320


@pytest.mark.parametrize("right", [0.0, 1.0, -0.9])
def test_a_recording_waits_for_the_service(call: Callable[..., Any], right: float) -> None:
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
    early, sent = call("recording", body, base64.b64encode(stereo("s18_pf_dora", right)).decode())
    wanted = np.frombuffer(speech("s18_pf_dora"), "<i2")
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


def test_a_final_is_shown_as_it_is_written(call: Callable[..., Any]) -> None:
    """The words of an entity are one, with their times; without formatted text it is as it was said."""
    text = "😀 são vinte e cinco reais, e pronto."
    words = [word(part, i, i + 1) for i, part in enumerate(text.split())]
    plain = {"text": text, "words": words}
    entity = {"text": "R$ 25", "spoken_start": 6, "spoken_end": 25}
    final = plain | {"text_formatted": "😀 são R$ 25, e pronto.", "entities": [entity]}
    found = call("words", "return m.written(a)", final)

    assert call("words", "return m.written(a)", plain) == plain
    assert found["text"] == "😀 são R$ 25, e pronto."
    assert [said["word"] for said in found["words"]] == ["😀", "são", "R$ 25,", "e", "pronto."]
    assert found["words"][2] == word("R$ 25,", 2, 6)


def page_s_final(line: str) -> dict[str, object]:
    """A golden final as `main.js` keeps it."""
    final = json.loads(line)
    times = {"start": final["audio_start_ms"] / 1000, "duration": final["audio_duration_ms"] / 1000}
    return {"text": final["text"], "words": final["words"], **times}


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_the_golden_ones(call: Callable[..., Any], kind: str) -> None:
    """Those that the admin and the command make too (`tests/contract/test_subtitles.py`), byte for byte."""
    finals = {path.stem: list(map(page_s_final, path.read_text().splitlines())) for path in GOLDEN.glob("*.jsonl")}
    made = call("subtitles", f"return Object.entries(a).map(([name, finals]) => [name, m.{kind}(finals)])", finals)

    assert len(made) > 5
    assert dict(made) == {name: (GOLDEN / f"{name}.{kind}").read_bytes().decode() for name in finals}


def test_text_has_a_line_a_final(call: Callable[..., Any]) -> None:
    """None for one in which no words were found."""
    assert call("subtitles", "return m.txt(a)", [{"text": "Um."}, {"text": ""}, {"text": "Dois."}]) == "Um.\nDois.\n"


LINE = """
    const line = new m.Timeline(a);
    let now = 5_000;
    const hear = (frames, late = 0) => { for (let i = 0; i < frames; i++) line.frame(-20, (now += 20) + late); };
    const start = (t_ms, audio_start_ms, segment_id) => {
        line.event({state: "speech_start", t_ms, segment_id}, now);
        return Math.round(line.start({segment_id, audio_start_ms}));
    };
"""


def test_json_has_all_that_is_known(call: Callable[..., Any]) -> None:
    """Times from the start of the first session, to the millisecond; an utterance without a final says so."""
    timing = {"server_total_ms": 5.0}
    final = {"text": "Um.", "words": [word("Um.", 0.1, 0.3)], "start": 2.0000001, "duration": 1, "lang": "pt"}
    unfinished = {"text": "Do", "words": [], "start": 4, "duration": 0.5, "lang": "en", "unfinished": True}
    document = json.loads(
        call("subtitles", "return m.json(a)", [final | {"confidence": 0.9, "timing": timing}, unfinished])
    )

    assert document == {
        "text": "Um. Do",
        "segments": [
            {
                "start": 2,
                "end": 3,
                "text": "Um.",
                "lang_code": "pt",
                "confidence": 0.9,
                "timing": timing,
                "words": [{"word": "Um.", "start": 2.1, "end": 2.3, "probability": 0.9}],
            },
            {"start": 4, "end": 4.5, "text": "Do", "lang_code": "en", "unfinished": True, "words": []},
        ],
    }


@pytest.mark.parametrize(("live", "pause_ms"), [(True, 7_000), (False, 0)])
def test_pauses_count_where_the_audio_is_live(call: Callable[..., Any], live: bool, pause_ms: int) -> None:
    """Also for the audio that a segment has from before the pause, and for one whose speech was told to nobody."""
    body = f"""{LINE}
        hear(100); now += 7_000; hear(100);
        return [start(300, 100, "a"), start(1_980, 1_800, "b"), start(3_000, 2_800, "c"),
                line.start({{segment_id: "d", audio_start_ms: 2_500}}), line.ms];
    """

    assert call("timeline", body, live) == [100, *(at + pause_ms for at in (1_800, 2_800, 2_500, 4_000))]


def test_frames_that_come_late_are_no_pause(call: Callable[..., Any]) -> None:
    """A busy browser hands them over at once."""
    body = (
        f"{LINE} hear(100); now += 1_000; for (let i = 0; i < 50; i++) line.frame(-20, now); hear(100); return line.ms;"
    )

    assert call("timeline", body, True) == 5_000


def test_what_is_said_again_is_not_open_twice(call: Callable[..., Any]) -> None:
    body = f"""{LINE}
        hear(100); start(300, 100, "a"); line.event({{state: "speech_end", t_ms: 900, segment_id: "a"}}, now);
        start(1_200, 1_000, "b"); line.again();
        return [line.speaking, line.awaited, line.speech];
    """

    assert call("timeline", body, True) == [False, 0, [[15, 45]]]


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


SHOWN = """
    const line = m.show(a, 0, "pt");
    return [...line.children].map((part) => [part.className, part.textContent]);
"""


@pytest.mark.parametrize(
    ("stable", "parts"),
    [
        ("vire a", [["stable", "vire a"], ["unstable", " direita na"]]),
        ("vire à", [["stable", ""], ["unstable", "vire a direita na"]]),
        (None, [["stable", ""], ["unstable", "vire a direita na"]]),
    ],
    ids=["begins so", "begins otherwise", "none told"],
)
def test_what_a_partial_keeps_is_told_apart(
    call: Callable[..., Any], stable: str | None, parts: list[list[str]]
) -> None:
    """Its `stable_text`, where its text begins with it."""
    told = {"segment_id": "seg-0001", "text": "vire a direita na", "audio_end_ms": 1_400}
    shown = call("partials", SHOWN, told if stable is None else told | {"stable_text": stable})

    assert shown == parts
