"""A call of two channels and the webhooks' pages in a browser: in Portuguese too, light and dark, wide and narrow."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from harness.stack import Stack
from tests.browser import chromium
from tests.browser.test_admin_usage import LAPTOP, PASSWORD, PHONE

FILL = f"""
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from django.contrib.auth.models import User
from transcription.core.config import SessionConfig
from transcription.models import Delivery, Segment, Session, Webhook
User.objects.create_superuser("channels", password="{PASSWORD}")
begun = datetime.now(UTC) - timedelta(minutes=5)
call = Session.objects.create(
    uid="c" * 32, session_id="ligacao-dupla", client="10.0.0.1", language="pt", sample_rate=8_000, dialect="twilio",
    config=asdict(SessionConfig(channels=2, channel_names=("atendente", "cliente"))), started_at=begun,
    ended_at=begun + timedelta(seconds=24), reason="completed", total_segments=6, total_audio_ms=24_000,
)
said = [
    (0, 500, 2_600, "Bom dia, com quem eu falo?"),
    (1, 3_400, 1_900, "Com a Helena."),
    (1, 5_000, 3_000, "É sobre a fatura."),
    (0, 7_200, 2_400, "Pode me dizer o CPF?"),
    (1, 10_400, 5_200, "Cinco dois nove, nove oito dois."),
    (0, 16_500, 3_000, "Obrigado."),
]
for number, (channel, start, length, text) in enumerate(said, 1):
    Segment.objects.create(
        session=call, segment_id=f"seg-{{channel}}-{{number:04}}", channel=channel, start_ms=start, duration_ms=length,
        speech_end_ms=start + length - 500, asked_ms=start + length - 350, answered_ms=start + length + 90,
        sent_ms=start + length + 100, latency_ms=600, confidence=0.93, text=text, created_at=begun,
        latency=dict(vad_wait=150, queue=40, batch_wait=10, model=300, delivery=100),
        partials=[[start + 900, 240, 9]], words=[],
    )
hook = Webhook.objects.create(
    name="crm", url="https://hooks.example.com/stt", secret="whsec_AAAA", delivered=412, failed=9
)
for number in range(3):
    Delivery.objects.create(
        webhook=hook, session=call, event_id=f"evt-{{number}}", event_type="segment.final", body="{{}}", created=begun,
        due=begun, until=begun + timedelta(days=1), attempts=19, failure="HTTP 503", given_up=begun if number else None,
    )
"""
WEBHOOKS, EVENTS = "/admin/transcription/webhook/", "/admin/transcription/delivery/"
SIZES = pytest.mark.parametrize(
    ("size", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["1280-light", "390-dark"]
)


@pytest.fixture(scope="module")
def filled(echo_stack: Stack) -> Stack:
    echo_stack.manage("shell", "-v", "0", "-c", FILL)
    return echo_stack


@pytest.fixture
def log_in(filled: Stack, visit: Callable[..., Page]) -> Callable[..., Page]:
    """In Portuguese, to a page of the admin."""

    def log_in(path: str, **options: object) -> Page:
        page = visit(f"{filled.http_url}/admin/login/?next={path}", locale="pt-BR", **options)
        page.locator("#id_username").fill("channels")
        page.locator("#id_password").fill(PASSWORD)
        page.locator("input[type=submit]").click()
        return page

    return log_in


@SIZES
def test_each_talker_of_a_call_has_a_row(
    log_in: Callable[..., Page], picture: Callable, size: dict[str, int], scheme: str
) -> None:
    """With the name of who speaks, in the timeline and in the table."""
    page = log_in("/admin/transcription/session/?q=ligacao-dupla", viewport=size, color_scheme=scheme)
    page.get_by_role("link", name="ligacao-dupla").click()
    expect(page.locator("svg.timeline")).to_contain_text("atendente")
    expect(page.locator("svg.timeline")).to_contain_text("cliente")
    expect(page.locator("table.segments")).to_contain_text("Com a Helena.")
    picture(page, f"admin-channels-{scheme}-{size['width']}", full_page=True)

    page.wait_for_load_state()  # the styles too
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []


@SIZES
@pytest.mark.parametrize(("path", "seen"), [(WEBHOOKS, "412"), (EVENTS, "HTTP 503")], ids=["webhooks", "events"])
def test_webhooks_and_what_they_have_not_taken(
    log_in: Callable[..., Page], picture: Callable, path: str, seen: str, size: dict[str, int], scheme: str
) -> None:
    """No column is out of sight."""
    page = log_in(path, viewport=size, color_scheme=scheme)
    expect(page.locator("#result_list")).to_contain_text(seen)
    picture(page, f"admin-{path.split('/')[3]}-{scheme}-{size['width']}", full_page=True)

    page.wait_for_load_state()  # the styles too
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.serious_findings(page) == []
