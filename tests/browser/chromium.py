"""Debian's Chromium, driven by Playwright: where it is, how it is started, what a page of it must not do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

from harness.programs import needed

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE_MS = 30_000
SERIOUS = {"serious", "critical"}


def executable() -> str:
    """The browser's path; raises `MissingProgram`."""
    return needed("chromium", *NAMES)


def start(playwright: Playwright, *arguments: str) -> Browser:
    """A browser without a microphone, unless the arguments give it one."""
    return playwright.chromium.launch(executable_path=executable(), args=list(arguments))


def hearing(recording: Path) -> list[str]:
    """Arguments for a browser whose microphone plays a WAV once, then silence, and is granted without a question."""
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}%noloop",
    ]


@contextmanager
def watched(page: Page) -> Iterator[None]:
    """Uncaught errors of the page's scripts and breaches of its Content-Security-Policy fail the test."""
    faults: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            faults.append(message.text)

    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", listen)
    yield
    assert faults == []


def serious_findings(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe-core finds that keeps people out: the rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found if rule["impact"] in SERIOUS]
