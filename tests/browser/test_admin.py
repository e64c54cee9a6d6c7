"""The admin in a browser, against the service with its real model: log in, list, filters, a session, live, export."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import websockets
from playwright.sync_api import Page, expect

from harness.audio import silence, speech
from harness.stack import Stack
from harness.talker import Talker
from tests.browser import chromium

pytestmark = pytest.mark.model

PASSWORD = "a long password"
SENTENCE = "avenida Paulista"
MAKE_USERS = f"""
from django.contrib.auth.models import Group, User
User.objects.create_superuser("admin", password="{PASSWORD}")
user = User.objects.create_user("auditor", password="{PASSWORD}", is_staff=True)
user.groups.add(Group.objects.get(name="STT auditors"))
"""
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
WIDE = {"width": 1600, "height": 900}


async def talk(url: str, session_id: str, clips: list[str], ends: bool) -> None:
    """Say clips in real time, with pauses; then end, or wait for the service to."""
    async with Talker(url) as talker:
        await talker.start(session_id=session_id)
        with contextlib.suppress(websockets.ConnectionClosed):  # an operator may end it in mid-sentence
            for clip in clips:
                await talker.stream(silence(0.4) + speech(clip) + silence(1.2))
        if ends:
            await talker.say("nonsense")
            await talker.say("end_session")
        await talker.until("session_ended", 120)


def in_background(*arguments: object) -> threading.Thread:
    """Playwright has this thread's event loop."""
    thread = threading.Thread(target=lambda: asyncio.run(talk(*arguments)), daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def recorded(model_stack: Stack) -> Stack:
    """The stack with an admin, an auditor, and a session of two sentences."""
    model_stack.manage("shell", "-v", "0", "-c", MAKE_USERS)
    in_background(model_stack.ws_url, "call-from-last-night", ["s13_pm_alex", "s24_pf_dora"], True).join(120)
    return model_stack


@pytest.fixture
def log_in(recorded: Stack, visit: Callable[..., Page]) -> Callable[..., Page]:
    """Through the login form, to the list of sessions."""

    def log_in(name: str, **options: object) -> Page:
        page = visit(f"{recorded.http_url}/admin/login/?next=/admin/transcription/session/", **options)
        page.locator("#id_username").fill(name)
        page.locator("#id_password").fill(PASSWORD)
        page.locator("#login-form [type=submit]").click()
        return page

    return log_in


def test_an_operator_finds_last_night_s_call_and_understands_it(log_in: Callable[..., Page], picture: Callable) -> None:
    """List, search, filter, the session: timeline, stages, words; export as SRT."""
    page = log_in("admin", viewport=WIDE)
    expect(page.locator("#result_list")).to_contain_text("call-from-last-night")
    page.get_by_role("link", name="had errors").click()
    page.locator("#searchbar").fill("call-from")
    page.get_by_role("button", name="Search").click()
    picture(page, "admin-sessions")
    page.get_by_role("link", name="call-from-last-night").click()
    for segment in ("seg-0001", "seg-0002"):
        expect(page.locator("svg.timeline rect.speech", has_text=segment).first).to_be_visible()
        expect(page.locator("svg.timeline rect.model", has_text=segment).first).to_be_visible()
    expect(page.locator("svg.timeline line.partial").first).to_be_attached()
    expect(page.locator("#seg-0001 .transcript")).to_contain_text(SENTENCE)
    expect(page.locator(".events")).to_contain_text("INVALID_MESSAGE")
    with page.expect_download() as download:
        page.get_by_role("link", name="SRT", exact=True).click()
    picture(page, "admin-session", full_page=True)

    assert SENTENCE in " ".join(Path(download.value.path()).read_text().split())  # lines may break in it
    assert download.value.suggested_filename == "call-from-last-night.srt"
    assert chromium.serious_findings(page) == []


@pytest.mark.parametrize(("scheme", "size"), [("dark", WIDE), ("light", PHONE), ("dark", PHONE)])
def test_a_session_is_readable_in_light_and_dark_narrow_and_wide(
    log_in: Callable[..., Page], picture: Callable, scheme: str, size: dict[str, int]
) -> None:
    """Contrasts by axe; what is too wide scrolls in its own frame, not the page."""
    page = log_in("admin", viewport=size, color_scheme=scheme)
    page.get_by_role("link", name="call-from-last-night").click()
    expect(page.locator("svg.timeline")).to_be_visible()
    picture(page, f"admin-session-{scheme}-{size['width']}", full_page=True)

    assert page.evaluate("document.querySelector('.stt').scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []


@pytest.mark.parametrize("listed", ["session", "segment", "apikey"])
@pytest.mark.parametrize(("scheme", "size"), [("light", LAPTOP), ("dark", PHONE)])
def test_no_column_of_a_list_is_cut_off(
    log_in: Callable[..., Page], recorded: Stack, picture: Callable, listed: str, scheme: str, size: dict[str, int]
) -> None:
    """All are in sight at 1280 px; on a telephone rows are cards, whose cells say what they are."""
    page = log_in("admin", viewport=size, color_scheme=scheme)
    page.goto(f"{recorded.http_url}/admin/transcription/{listed}/")
    cell = page.locator("#result_list tbody :is(td, th)").last
    if listed != "apikey":  # the stack's clients need none
        expect(cell).to_be_visible()
        assert cell.evaluate("(cell) => cell.getBoundingClientRect().right <= innerWidth")
        named = cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
        assert named == ('"Worst final"' if listed == "session" else '"Failure"') if size is PHONE else "none"
    if listed == "session":
        picture(page, f"admin-sessions-{scheme}-{size['width']}")

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []


def test_no_column_of_a_session_is_cut_off(log_in: Callable[..., Page]) -> None:
    """At 1280 px; beneath, its tables scroll in frames of their own."""
    page = log_in("admin", viewport=LAPTOP)
    page.get_by_role("link", name="call-from-last-night").click()
    expect(page.locator("#seg-0001")).to_be_visible()

    assert page.evaluate("[...document.querySelectorAll('.table-frame')].every((f) => f.scrollWidth <= f.clientWidth)")


@pytest.mark.parametrize(("scheme", "size"), [("light", LAPTOP), ("dark", PHONE)])
def test_an_operator_in_brazil_reads_portuguese(
    log_in: Callable[..., Page], recorded: Stack, picture: Callable, scheme: str, size: dict[str, int]
) -> None:
    """List, session and live page, whose script and socket speak it too; its longer words cut nothing off."""
    page = log_in("admin", viewport=size, color_scheme=scheme, locale="pt-BR")
    expect(page.locator("html")).to_have_attribute("lang", "pt-br")
    expect(page.locator("#result_list")).to_contain_text("concluída")
    picture(page, f"admin-sessions-pt-br-{size['width']}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []

    page.get_by_role("link", name="call-from-last-night").click()
    expect(page.locator(".legend")).to_contain_text("espera do VAD")
    picture(page, f"admin-session-pt-br-{size['width']}", full_page=True)
    assert size is PHONE or page.evaluate(
        "[...document.querySelectorAll('.table-frame')].every((f) => f.scrollWidth <= f.clientWidth)"
    )
    assert chromium.serious_findings(page) == []

    page.goto(f"{recorded.http_url}/admin/transcription/session/live/")
    expect(page.locator("#connection")).to_contain_text("Ao vivo")
    expect(page.locator("#cluster")).to_contain_text("tamanho da fila")
    expect(page.locator("#cluster")).to_contain_text("0 de 100")
    expect(page.locator("#sessions")).to_contain_text("Nenhuma sessão ao vivo.")
    assert chromium.serious_findings(page) == []


def test_an_auditor_sees_timings_and_no_words(log_in: Callable[..., Page]) -> None:
    """On the page of the session and the live page."""
    page = log_in("auditor", viewport=WIDE)
    page.get_by_role("link", name="call-from-last-night").click()
    expect(page.locator("#seg-0001")).to_contain_text("ms")
    expect(page.locator("body")).not_to_contain_text(SENTENCE)
    expect(page.get_by_role("link", name="SRT", exact=True)).to_have_count(0)
    page.goto(page.url.split("/session/")[0] + "/session/live/")
    expect(page.locator("#connection")).to_contain_text("Live")
    expect(page.locator("th.transcript")).to_have_count(0)


def test_the_live_page_follows_a_call_which_is_then_cancelled_and_erased(
    log_in: Callable[..., Page], recorded: Stack, picture: Callable
) -> None:
    """Running text, the worker; then the session ends at the operator's word, and is gone at the next."""
    page = log_in("admin", viewport=WIDE)
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.locator("#sessions")).to_contain_text("No session is live.")
    thread = in_background(recorded.ws_url, "call-right-now", ["s13_pm_alex"], False)
    expect(page.locator("#sessions")).to_contain_text("call-right-now")
    expect(page.locator("#sessions .transcript")).to_contain_text(SENTENCE)
    expect(page.locator("#workers")).to_contain_text("base")
    expect(page.locator("#cluster")).to_contain_text("1 of 100")
    picture(page, "admin-live")
    assert chromium.serious_findings(page) == []

    page.get_by_role("link", name="call-right-now").click()
    page.get_by_role("link", name="call-right-now").click()
    page.get_by_role("link", name="Cancel …").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".messagelist")).to_contain_text("is told to end")
    thread.join(60)
    assert not thread.is_alive()
    page.reload()
    expect(page.locator(".facts")).to_contain_text("cancelled")
    page.get_by_role("link", name="Erase …").click()
    page.get_by_role("button", name="Erase").click()
    expect(page.locator(".messagelist")).to_contain_text("is erased")
    expect(page.locator("#result_list")).not_to_contain_text("call-right-now")
