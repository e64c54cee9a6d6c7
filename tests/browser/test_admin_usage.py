"""The admin's home, finding calls and bulk jobs in a browser: what they lead to, light and dark, wide and narrow."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from harness.stack import Stack
from tests.browser import chromium

PASSWORD = "a long password"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
IN_SIGHT = """
[...document.querySelectorAll("#result_list td")].every((cell) => cell.getBoundingClientRect().right <= innerWidth)
"""
FILL = f"""
import random
from datetime import UTC, datetime, timedelta
from django.contrib.auth.models import User
from transcription.models import Refusal, Segment, Session, Tag
User.objects.create_superuser("planner", password="{PASSWORD}")
rng, now = random.Random(1), datetime.now(UTC)
for number in range(240):
    begun = now - timedelta(days=rng.random() ** 1.3 * 30)
    session = Session.objects.create(
        uid=f"{{number + 1000:032x}}", session_id=f"ligacao-{{number:04}}", client=f"10.0.0.{{number % 9}}",
        language="pt", external_id=f"CRM-{{number + 4000}}", api_key_name=rng.choice(["vendas", "vendas", "suporte"]),
        dialect=rng.choice(["native", "twilio"]), sample_rate=16_000, started_at=begun,
        ended_at=begun + timedelta(minutes=rng.random() * 6), reason="completed", total_segments=3,
        total_audio_ms=rng.random() * 360_000, errors=int(rng.random() < 0.05),
        worst_final_ms=rng.lognormvariate(6.4, 0.4),
    )
    Tag.objects.create(session=session, name=rng.choice(["retorno", "venda"]))
    Segment.objects.bulk_create(
        Segment(
            session=session, segment_id=f"seg-{{part:04}}", start_ms=part * 6_000, duration_ms=4_000, created_at=begun,
            latency_ms=rng.lognormvariate(6.4, 0.4), partials=[[part * 6_000 + 900, rng.random() * 300, 9]],
            text="Quero falar sobre a negociação" if number % 40 == part else "Bom dia, tudo bem?",
        )
        for part in range(1, 4)
    )
for day in (1, 2, 5):
    Refusal.objects.create(
        at=now - timedelta(days=day), api_key_name="vendas", language="pt", dialect="native", code="QUEUE_FULL", count=4
    )
"""


@pytest.fixture(scope="module")
def filled(echo_stack: Stack) -> Stack:
    """The stack with an operator and a month of sessions, rolled up."""
    echo_stack.manage("shell", "-v", "0", "-c", FILL)
    echo_stack.manage("housekeeping", "--once")
    return echo_stack


@pytest.fixture
def log_in(filled: Stack, visit: Callable[..., Page]) -> Callable[..., Page]:
    """Through the login form, to a page of the admin."""

    def log_in(path: str = "/admin/", **options: object) -> Page:
        page = visit(f"{filled.http_url}/admin/login/?next={path}", **options)
        page.get_by_label("Username").fill("planner")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        return page

    return log_in


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_home_is_readable(
    log_in: Callable[..., Page], picture: Callable, scheme: str, size: dict[str, int]
) -> None:
    """Contrasts and names by axe; what is too wide scrolls in its own frame, not the page."""
    page = log_in(viewport=size, color_scheme=scheme)
    expect(page.locator("svg.chart")).to_have_count(7)
    picture(page, f"admin-home-{scheme}-{size['width']}", full_page=True)

    page.wait_for_load_state()  # the styles too
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []


def test_a_bar_leads_to_its_sessions(log_in: Callable[..., Page]) -> None:
    """By the keyboard as well; a key narrows the page."""
    page = log_in(viewport=LAPTOP)
    days = page.get_by_role("group", name="Calls", exact=True).get_by_role("link")
    bar = days.nth(-2)  # yesterday, to which nobody adds
    told = bar.get_attribute("aria-label") or ""
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".paginator")).to_contain_text(f"{told.rpartition(' ')[2]} session")
    page.go_back()
    page.get_by_role("link", name="suporte").click()
    expect(page.get_by_role("heading", name="Today")).to_contain_text("suporte")
    page.get_by_role("link", name="All of it").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert Path(download.value.path()).read_text().startswith("of,name,calls,minutes")


def test_live_and_workers_are_in_the_navigation(log_in: Callable[..., Page]) -> None:
    """Beside the lists, on every page."""
    page = log_in("/admin/transcription/session/", viewport=LAPTOP)
    page.locator("#nav-sidebar").get_by_role("link", name="Workers").click()
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.locator("#nav-sidebar").get_by_role("link", name="Live", exact=True).click()
    expect(page.locator("#connection")).to_contain_text("Live")


@pytest.mark.parametrize(("scheme", "size"), [("light", LAPTOP), ("dark", PHONE)], ids=["1280", "390"])
def test_a_call_is_found_by_what_was_said(
    log_in: Callable[..., Page], picture: Callable, scheme: str, size: dict[str, int]
) -> None:
    """Without accents; the list says where, and leads there."""
    page = log_in("/admin/transcription/session/", viewport=size, color_scheme=scheme)
    assert page.evaluate(IN_SIGHT)
    page.get_by_label("said").fill("negociacao")
    page.get_by_label("tag").fill("venda")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#result_list .field-found").first).to_contain_text("negociação")
    expect(page.locator("#result_list .field-external_id").first).to_contain_text("CRM-")
    picture(page, f"admin-find-{scheme}-{size['width']}")

    assert page.evaluate(IN_SIGHT)
    page.wait_for_load_state()  # the styles too
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []
    page.locator("#result_list .field-found a").first.click()
    expect(page.locator("tr:target")).to_contain_text("negociação")


def test_a_bulk_export_is_watched_and_downloaded(log_in: Callable[..., Page], filled: Stack, picture: Callable) -> None:
    """The page follows by itself; the file has a JSON a session."""
    page = log_in("/admin/transcription/session/?tag=retorno", viewport=LAPTOP)
    page.locator("#action-toggle").check()
    page.get_by_role("combobox", name="Action").select_option(label="Export selected sessions …")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    expect(page.locator("#job")).to_contain_text("0 of 100")
    picture(page, "admin-bulk-light-1280")
    assert chromium.serious_findings(page) == []
    filled.manage("housekeeping", "--once")
    expect(page.locator("#job")).to_contain_text("Done.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 100
    assert chromium.serious_findings(page) == []


def test_a_bulk_erasure_is_confirmed(log_in: Callable[..., Page], filled: Stack, picture: Callable) -> None:
    """Nothing goes before; then it is gone from the list."""
    page = log_in("/admin/transcription/session/?external_id=CRM-4239", viewport=PHONE, color_scheme="dark")
    page.locator(".action-select").check()
    page.get_by_role("combobox", name="Action").select_option(label="Erase selected sessions …")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    expect(page.locator("#job")).to_contain_text("deleted for good")
    picture(page, "admin-bulk-dark-390")
    assert chromium.serious_findings(page) == []
    page.get_by_role("button", name="Erase").click()
    filled.manage("housekeeping", "--once")
    expect(page.locator("#job")).to_contain_text("Done.")
    page.goto(f"{filled.http_url}/admin/transcription/session/?external_id=CRM-4239")

    expect(page.locator("#result_list")).to_have_count(0)
