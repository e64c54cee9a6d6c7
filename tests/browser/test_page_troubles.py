"""What the page says when something is in the way."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect
from websockets.sync.client import connect

from harness.stack import ECHO, Stack
from harness.waiting import until
from tests.browser.programs import code, run, run_all
from tests.browser.recordings import drop, spoken


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Room for one session, and no worker yet."""
    with Stack(tmp_path_factory.mktemp("single"), ECHO | {"STT_MAX_SESSIONS": "1"}) as stack:
        stack.start_web()
        yield stack


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Sessions need a key."""
    with Stack(tmp_path_factory.mktemp("keyed"), ECHO | {"STT_AUTH": "required"}) as stack:
        yield stack.start()


def notice(page: Page, name: str) -> None:
    """The message that is shown, by its name in texts.js."""
    expect(page.locator("#notice")).to_have_attribute("data-name", name)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).not_to_be_empty()


def test_a_refused_microphone(echo_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page]) -> None:
    """Says so, and where to allow it; a recording still works."""
    page = visit(echo_stack.http_url, browser=launch("--use-fake-device-for-media-stream", "--deny-permission-prompts"))
    page.get_by_role("button", name="Talk").click()
    notice(page, "micRefused")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()
    drop(page, spoken("s18_pf_dora"))

    expect(page.locator("#finals .said")).not_to_be_empty()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_no_microphone(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Allowed, but there is none."""
    page = visit(echo_stack.http_url, permissions=["microphone"])
    page.get_by_role("button", name="Talk").click()

    notice(page, "micNone")


def test_a_page_that_may_not_have_a_microphone(
    echo_stack: Stack, launch: Callable[..., Browser], visit: Callable[..., Page]
) -> None:
    """Plain HTTP from another machine: the browser offers none at all. Recordings, and copying, work."""
    elsewhere = launch("--host-resolver-rules=MAP stt.example 127.0.0.1")
    page = visit(echo_stack.http_url.replace("127.0.0.1", "stt.example"), browser=elsewhere)
    page.get_by_role("button", name="Talk").click()
    notice(page, "insecure")
    drop(page, spoken("s18_pf_dora"))
    expect(page.locator("#finals .said")).not_to_be_empty()
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()


def test_a_file_that_is_no_recording(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """Named, and everything works on."""
    page = visit(echo_stack.http_url)
    page.locator("#file").set_input_files({"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no audio"})
    notice(page, "badFile")

    expect(page.get_by_role("alert")).to_contain_text("notes.wav")
    expect(page.get_by_role("button", name="Talk")).to_be_enabled()


def test_not_ready_then_full_then_served(single: Stack, visit: Callable[..., Page]) -> None:
    """Each with its own words, and the same button leads on."""
    page = visit(single.http_url)
    again = page.get_by_role("button", name="Try again")
    drop(page, spoken("s18_pf_dora"))
    notice(page, "notReady")
    single.start_worker()
    with connect(single.ws_url) as other:
        other.send(json.dumps({"type": "start_session"}))
        assert json.loads(other.recv())["type"] == "session_started"
        again.click()
        notice(page, "full")
        other.send(json.dumps({"type": "end_session"}))
        assert json.loads(other.recv())["type"] == "session_ended"
    again.click()

    expect(page.locator("#finals .said")).not_to_be_empty()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_lost_connection(single: Stack, visit: Callable[..., Page]) -> None:
    """In a session: the text stays. Then the service cannot be reached; when it can, the recording goes on."""

    def impatient(route: Route) -> None:
        script = route.fetch().text()
        assert "RETRY_MS = 20_000" in script
        route.fulfill(body=script.replace("RETRY_MS = 20_000", "RETRY_MS = 3_000"), content_type="text/javascript")

    if not single.ready("worker"):
        single.start_worker()
    page = visit("about:blank")
    page.context.route("**/client.js", impatient)
    page.goto(single.http_url)
    drop(page, spoken("s18_pf_dora", "s24_pf_dora", "s04_pm_alex", "s13_pm_alex"))
    said, again = page.locator("#finals .said"), page.get_by_role("button", name="Try again")
    expect(said).not_to_have_count(0)
    expect(page.locator(".partial")).not_to_be_empty()
    single.kill(single.webs[0])
    notice(page, "dropped")
    expect(said.first).not_to_be_empty()
    expect(page.locator(".unfinished")).not_to_have_count(0)
    before = page.locator("#finals li:not(.unfinished) .said").all_inner_texts()
    again.click()
    notice(page, "unreachable")
    single.again(single.webs[0])
    until(lambda: requests.get(f"{single.http_url}/health/ready", timeout=2).ok, "the web process")
    until(lambda: not single.redis.keys("stt:session:*"), "the place of the session that was lost")
    again.click()
    expect(page.locator("#talk[data-phase=live]")).to_be_visible()
    expect(page.get_by_role("button", name="Talk")).to_be_visible()

    texts, times = said.all_inner_texts(), page.locator("#finals time").all_inner_texts()
    expect(page.locator(".unfinished")).to_have_count(0)
    assert len(texts) == 4
    assert texts[: len(before)] == before
    assert times == sorted(times)


def test_a_key_is_asked_for_and_checked(keyed: Stack, visit: Callable[..., Page]) -> None:
    """Without one, with a wrong one, with one no browser can send, with the right one; it is kept in the tab alone."""
    key = keyed.manage("createapikey", "page")
    page = visit(keyed.http_url)
    field, again = page.get_by_label("API key"), page.get_by_role("button", name="Try again")
    expect(field).to_be_visible()
    drop(page, spoken("s18_pf_dora"))
    notice(page, "keyWanted")
    expect(field).to_be_focused()
    field.fill("wrong")
    again.click()
    notice(page, "keyRefused")
    field.fill("two words/@")
    again.click()
    notice(page, "keyImpossible")
    field.fill(key)
    again.click()
    expect(page.locator("#finals .said")).not_to_be_empty()
    expect(page.get_by_role("alert")).to_be_hidden()

    stored = page.evaluate("[sessionStorage['api-key'], sessionStorage.transcript, Object.keys(localStorage)]")
    assert stored == [key, stored[1], []]
    assert key not in stored[1]
    assert re.search(key, page.content()) is None
    page.reload()
    expect(field).to_have_value(key)


def test_programs_take_the_key_from_the_environment(keyed: Stack, visit: Callable[..., Page], tmp_path: Path) -> None:
    """The code shown has none, and runs with it; curl, Python and JavaScript get in, without it none does."""
    key = keyed.manage("createapikey", "code")
    page = visit(keyed.http_url, locale="en-US")
    page.get_by_label("API key").fill(key)
    page.get_by_text("The code for this").click()
    shown = code(page)
    ran = run_all(shown, tmp_path, STT_API_KEY=key)

    assert key not in "".join(shown.values())
    assert all("final_transcript" in ran[name] for name in ("Python", "JavaScript"))
    assert json.loads(ran["curl"])["text"]
    assert "invalid_api_key" in run("curl", shown["curl"], tmp_path, STT_API_KEY="wrong")


def test_no_key_is_asked_for_where_none_is_needed(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """The field is not there."""
    expect(visit(echo_stack.http_url).get_by_label("API key")).to_be_hidden()
