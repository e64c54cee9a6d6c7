"""A browser and its pages.

Playwright's event loop runs in the test's own thread while a browser is open: tests here are plain functions, and use
neither `await` nor the ORM. It is stopped after each module, for the asynchronous tests of others.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser import chromium

expect.set_options(timeout=chromium.PATIENCE_MS)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser without a microphone."""
    with chromium.start(playwright) as browser:
        yield browser


@pytest.fixture
def launch(playwright: Playwright) -> Iterator[Callable[..., Browser]]:
    """Starts a browser with command line arguments: `launch(*chromium.hearing(wav))`."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(chromium.start(playwright, *arguments))


@pytest.fixture
def visit(request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a page in a context of its own: `visit(url, locale="pt-BR", viewport=…)`, `visit(url, browser=…)`."""
    with ExitStack() as stack:

        def visit(url: str, browser: Browser | None = None, **options: object) -> Page:
            context = (browser or request.getfixturevalue("browser")).new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(chromium.PATIENCE_MS)
            stack.enter_context(chromium.watched(page))
            page.goto(url)
            return page

        yield visit


@pytest.fixture
def picture() -> Callable[..., None]:
    """Takes a screenshot, `picture(page, "name")`, where SCREENSHOTS=docs/images asks for the documentation's."""
    directory = os.environ.get("SCREENSHOTS")

    def picture(page: Page, name: str, **options: object) -> None:
        if directory:
            page.screenshot(path=Path(directory) / f"{name}.png", animations="disabled", **options)

    return picture
