"""The page at `/`, in a browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.system.stack import Stack


def test_the_page_opens(echo_stack: Stack, visit: Callable[..., Page]) -> None:
    """With its title; no script fails, nothing breaks the Content-Security-Policy."""
    page = visit(echo_stack.http_url)

    expect(page.get_by_role("heading", level=1)).to_have_text("Whisper STT")
