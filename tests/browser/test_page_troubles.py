"""What the page says when something is in the way."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import connect

from harness.stack import ECHO, Stack
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
    """In a session: the text stays. Then the service cannot be reached at all."""
    page = visit(single.http_url)
    drop(page, spoken("s18_pf_dora", "s24_pf_dora", "s04_pm_alex", "s13_pm_alex"))
    expect(page.locator("#finals .said")).not_to_have_count(0)
    single.kill(single.webs[0])
    notice(page, "dropped")
    expect(page.locator("#finals .said").first).not_to_be_empty()
    page.get_by_role("button", name="Try again").click()

    notice(page, "unreachable")


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

    assert page.evaluate("[Object.values(sessionStorage), Object.values(localStorage)]") == [[key], []]
    assert re.search(key, page.content()) is None
    page.reload()
    expect(field).to_have_value(key)


def test_no_key_is_asked_for_where_none_is_needed(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """The field is not there."""
    expect(visit(echo_stack.http_url).get_by_label("API key")).to_be_hidden()
