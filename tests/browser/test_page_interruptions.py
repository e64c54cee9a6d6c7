"""The page when its microphone, or its connection, is taken away for a while."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocket, expect

from harness.stack import Stack
from tests.browser import chromium
from tests.browser.recordings import CANCEL_THE_LAST, drop, spoken

KEEP = """
    globalThis.mayResume = true;
    const resume = AudioContext.prototype.resume;
    AudioContext.prototype.resume = function () { return mayResume ? resume.call(this) : Promise.reject(new Error()); };
    globalThis.AudioContext = class extends AudioContext { constructor(o) { super(o); globalThis.context = this; } };
    globalThis.AudioWorkletNode = class extends AudioWorkletNode {
        constructor(...a) { super(...a); globalThis.capture = this; }
    };
    globalThis.WebSocket = class extends WebSocket { constructor(...a) { super(...a); globalThis.socket = this; } };
    Object.defineProperty(WebSocket.prototype, "bufferedAmount", { get: () => globalThis.buffered ?? 0 });
    if (navigator.mediaDevices) {
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => {
            const stream = await ask(wish);
            globalThis.track = stream.getAudioTracks()[0];
            return stream;
        };
    }
"""
"""What a test can take away and give back; set up before the page's own scripts."""

CLIPS = ("s24_pf_dora", "s07_pm_alex", "s13_pm_alex")


@pytest.fixture
def talking(
    launch: Callable[..., Browser], visit: Callable[..., Page], tmp_path: Path
) -> Callable[..., tuple[Page, list[str | bytes]]]:
    """A page whose microphone plays clips, once `Talk` is pressed and the first of them is heard; and what it sends."""

    def talking(stack: Stack, *clips: str, setup: str = KEEP) -> tuple[Page, list[str | bytes]]:
        recording = tmp_path / "fala.wav"
        recording.write_bytes(spoken(*clips, before_s=2.0))
        sent: list[str | bytes] = []

        def listen(socket: WebSocket) -> None:
            socket.on("framesent", lambda frame: sent.append(frame))  # noqa: PLW0108 - Playwright marks its listeners

        page = visit("about:blank", browser=launch(*chromium.hearing(recording)), locale="en-US")
        page.add_init_script(setup)
        page.on("websocket", listen)
        page.goto(stack.http_url)
        page.get_by_role("button", name="Talk").click()
        expect(page.locator("#vad")).to_have_text("Speech")
        return page, sent

    return talking


def notice(page: Page, name: str) -> None:
    """The message that is shown, by its name in texts.js."""
    expect(page.locator("#notice")).to_have_attribute("data-name", name)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).not_to_be_empty()


TAKEN = {
    "suspended": ("mayResume = false; context.suspend()", "mayResume = true", "micInterrupted"),
    "without a word": ("capture.port.close()", None, "micInterrupted"),
    "muted": ("track.dispatchEvent(new Event('mute'))", "track.dispatchEvent(new Event('unmute'))", "micMuted"),
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_microphone_that_is_taken_away(
    echo_stack: Stack, talking: Callable[..., tuple[Page, list]], how: str
) -> None:
    """Said; what was said before it has its final; and it goes on when it can."""
    take, give, name = TAKEN[how]
    page, sent = talking(echo_stack, *CLIPS)
    if how == "muted":  # as a track that is muted has it
        page.evaluate("Object.defineProperty(track, 'muted', { get: () => true })")
    page.evaluate(f"void ({take.replace('; ', ', ')})")
    notice(page, name)
    expect(page.locator("#vad")).to_have_text("Hears nothing")
    expect(page.locator("#finals .said")).not_to_have_count(0)
    assert json.loads(next(frame for frame in reversed(sent) if isinstance(frame, str))) == {"type": "flush"}
    if give:
        page.evaluate(f"void ({give})")
        notice(page, "back")
        expect(page.locator("#vad")).not_to_have_text("Hears nothing")
    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_role("button", name="Talk")).to_be_visible()


def test_a_pause_counts_in_the_times(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """What is said after it is as late as the clock says, not the audio."""
    page, _ = talking(echo_stack, *CLIPS, *CLIPS)
    page.evaluate("mayResume = false, void context.suspend()")
    notice(page, "micInterrupted")
    before = page.locator("#finals li").count()
    page.wait_for_timeout(6_000)
    page.evaluate("mayResume = true")
    page.get_by_role("button", name="Try again").click()
    notice(page, "back")
    expect(page.locator("#finals li").nth(before + 1)).to_be_visible()
    last = page.locator("#finals time").nth(before + 1).inner_text()
    elapsed = page.locator("#elapsed").inner_text()
    minutes, seconds = map(int, last.split(":"))

    assert 60 * minutes + seconds >= 8
    assert elapsed >= last


def test_a_microphone_that_is_unplugged(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """The session ends in order, with what was said."""
    page, _ = talking(echo_stack, *CLIPS)
    page.evaluate("track.stop(), track.dispatchEvent(new Event('ended')), undefined")
    notice(page, "micLost")

    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    expect(page.locator("#finals .said")).not_to_have_count(0)


@pytest.mark.parametrize("missing", ["delete globalThis.AudioWorkletNode", "delete Navigator.prototype.mediaDevices"])
def test_a_browser_that_gives_no_microphone(
    echo_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page], missing: str
) -> None:
    """On a page that may have one; a recording works."""
    page = visit("about:blank", browser=launch(), locale="en-US")
    page.add_init_script(missing)
    page.goto(echo_stack.http_url)
    page.get_by_role("button", name="Talk").click()
    notice(page, "unsupported")
    drop(page, spoken("s18_pf_dora"))

    expect(page.locator("#finals .said")).not_to_be_empty()


def test_a_microphone_that_fails_in_the_browser(
    echo_stack: Stack, launch: Callable, visit: Callable[..., Page]
) -> None:
    """As in browsers that cannot take it at the sound card's rate."""
    page = visit("about:blank", browser=launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"))
    page.add_init_script("AudioContext.prototype.createMediaStreamSource = () => { throw new Error('rates') }")
    page.goto(echo_stack.http_url)
    page.locator("#talk").click()

    notice(page, "micFailed")


@pytest.mark.model
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_any_sample_rate(model_stack: Stack, talking: Callable[..., tuple[Page, list]], rate: int) -> None:
    """The sound card's is not always 48 kHz."""
    made = f"constructor() {{ super({{ sampleRate: {rate} }}); }}"
    setup = f"globalThis.AudioContext = class extends AudioContext {{ {made} }}"
    page, _ = talking(model_stack, "s24_pf_dora", setup=setup)

    expect(page.locator("#finals .said")).to_have_text(re.compile("padaria.*farmácia", re.IGNORECASE))


def test_a_slow_connection(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """Audio waits in order, and not without end: then nothing is heard, the utterance ends, and all of it is said."""
    page, sent = talking(echo_stack, *CLIPS, *CLIPS, *CLIPS)
    page.evaluate("buffered = 70_000")
    page.wait_for_timeout(100)
    held = len(sent)
    notice(page, "behind")
    assert len(sent) == held, "the network takes nothing"
    page.evaluate("buffered = 0")
    expect(page.get_by_role("alert")).to_be_hidden()

    assert all(isinstance(frame, bytes) and len(frame) == 640 for frame in sent[held:])
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()


def test_a_connection_that_is_too_slow(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """What is kept is bounded: beyond it nothing is heard, which is said, and no utterance goes on over the hole."""

    def less(route: Route) -> None:
        script = route.fetch().text()
        assert "MOST_BEHIND = 30 * SECOND" in script
        route.fulfill(
            body=script.replace("MOST_BEHIND = 30 * SECOND", "MOST_BEHIND = 4 * SECOND"), content_type="text/javascript"
        )

    page, sent = talking(echo_stack, *CLIPS, *CLIPS, *CLIPS)
    page.context.route("**/conversation.js", less)
    page.reload()
    page.get_by_role("button", name="Talk").click()
    expect(page.locator("#vad")).to_have_text("Speech")
    page.evaluate("buffered = 70_000")
    page.wait_for_timeout(100)
    held = len(sent)
    notice(page, "deaf")
    expect(page.locator("#vad")).to_have_text("Hears nothing")
    page.wait_for_timeout(2_000)
    page.evaluate("buffered = 0")
    notice(page, "back")
    late = sent[held:]
    flush = next(at for at, frame in enumerate(late) if isinstance(frame, str))

    assert json.loads(late[flush]) == {"type": "flush"}
    assert 85 <= flush <= 100, "four seconds of frames less what the browser holds, then the end of the utterance"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()


@pytest.mark.model
def test_a_connection_that_is_lost_and_made_again(
    model_stack: Stack, talking: Callable[..., tuple[Page, list]]
) -> None:
    """The session is resumed amid a sentence: each of them has its final, once."""
    page, sent = talking(model_stack, *CLIPS)
    said = page.locator("#finals .said")
    page.evaluate("socket.close()")
    expect(said).to_have_count(1)
    expect(page.locator("#vad")).to_have_text("Speech")
    page.evaluate("socket.close()")
    expect(said).to_have_count(3)
    starts = [json.loads(frame) for frame in sent if isinstance(frame, str)]
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()

    expect(said).to_have_text(
        [re.compile(word, re.IGNORECASE) for word in ("farmácia", "relatório", "avenida Paulista")]
    )
    expect(page.get_by_role("alert")).to_be_hidden()
    assert [start["type"] for start in starts] == ["start_session"] * 3
    assert len({start["session_id"] for start in starts[1:]}) == 1
    assert all(start["resume"] for start in starts)


def test_a_session_that_an_operator_cancels(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """The page says so, keeps what was half said, and starts no other."""
    page, sent = talking(echo_stack, *CLIPS)
    expect(page.locator(".partial")).not_to_be_empty()
    echo_stack.manage("shell", "-v", "0", "-c", CANCEL_THE_LAST)
    notice(page, "operator")

    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    expect(page.locator(".unfinished").last).to_contain_text("Unfinished")
    expect(page.locator(".partial")).to_have_count(0)
    expect(page.locator("#empty")).to_be_hidden()
    assert [json.loads(frame)["type"] for frame in sent if isinstance(frame, str)] == ["start_session"]


def test_options_say_when_they_hold(echo_stack: Stack, talking: Callable[..., tuple[Page, list]]) -> None:
    """A language from the next utterance on, also over a lost connection; the others from the next start."""
    page, sent = talking(echo_stack, *CLIPS)
    page.get_by_text("Options").click()
    language, options = page.locator("#language-hint"), page.locator("#options-hint")
    expect(language).to_have_text("Another one holds from the next utterance on.")
    expect(options).to_contain_text("A session is on")
    page.get_by_label("Language spoken").select_option("en")
    expect(language).to_have_text("English from the next utterance on.")
    page.get_by_label("Times and probabilities of words").uncheck()
    expect(options).to_contain_text("not in this session")
    page.evaluate("socket.close()")
    expect(page.locator("#finals .said[lang=en]")).not_to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()
    expect(language).to_be_hidden()
    expect(options).to_have_text("They hold from the next start.")
    said = [json.loads(frame) for frame in sent if isinstance(frame, str)]

    assert [message["type"] for message in said] == ["start_session", "configure", "start_session", "end_session"]
    assert said[1]["lang_code"] == said[2]["config"]["lang_code"] == "en"
    assert said[2]["config"]["word_timestamps"] is True


@pytest.mark.model
def test_a_connection_that_is_lost_with_its_session(
    model_stack: Stack, talking: Callable[..., tuple[Page, list]]
) -> None:
    """A new one hears what has no final; times go on."""
    page, _ = talking(model_stack, *CLIPS)
    said = page.locator("#finals .said")
    expect(said).to_have_count(1)
    expect(page.locator("#vad")).to_have_text("Speech")
    model_stack.redis.delete(*model_stack.redis.keys("stt:*session*"))
    page.evaluate("socket.close()")
    expect(said).to_have_count(3)
    times = page.locator("#finals time").all_inner_texts()

    expect(said).to_have_text(
        [re.compile(word, re.IGNORECASE) for word in ("farmácia", "relatório", "avenida Paulista")]
    )
    assert times == sorted(times)


def test_the_page_under_a_path(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Of a shared host: its scripts, its socket, what it asks the service, its links."""
    with echo_stack.another_web(STT_PATH_PREFIX="/a/stt") as (_, socket):
        base = socket.replace("ws:", "http:").removesuffix("/ws/stt") + "/a/stt"
        page = visit(base, locale="en-US")
        drop(page, spoken("s18_pf_dora"))
        expect(page.locator("#finals .said")).not_to_be_empty()
        links = page.eval_on_selector_all("footer a", "(links) => links.map((link) => link.href)")
        auth = page.evaluate("import('/a/stt/static/transcription/diagnosis.js').then((m) => m.askAuth())")
        page.get_by_role("link", name="Administration").click()

        assert links == [f"{base}/health/status", f"{base}/metrics", f"{base}/admin/"]
        assert auth == "off"
        assert page.url.startswith(f"{base}/admin/login/")
