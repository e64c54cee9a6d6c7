"""The programs that the page shows, run as whoever copies them runs them."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Page

from harness.processes import ROOT


def code(page: Page) -> dict[str, str]:
    """Each program that is on offer, by its name; the panel is open."""
    shown = {}
    for button in page.locator("#code-choice button").all():
        button.click()
        shown[button.inner_text()] = page.locator("#code-text").inner_text()
    return shown


def run_all(shown: dict[str, str], directory: Path, **environment: str) -> dict[str, str]:
    """Run all but LiveKit's, which makes nothing by itself, at once."""
    names = ("curl", "Python", "JavaScript")
    with ThreadPoolExecutor() as pool:
        printed = pool.map(lambda name: run(name, shown[name], directory, **environment), names)
        return dict(zip(names, printed, strict=True))


def run(name: str, text: str, directory: Path, spoken: bytes = b"", **environment: str) -> str:
    """Run it there, with what a microphone would say as its input; what it prints. Playwright brings its Node."""
    program = directory / {"curl": "talk.sh", "Python": "talk.py", "JavaScript": "talk.mjs"}[name]
    program.write_text(text)
    node, _ = compute_driver_executable()
    with_what = {"curl": "bash", "Python": sys.executable, "JavaScript": node}[name]
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        [with_what, str(program)],
        input=spoken,
        cwd=directory,
        env=settings,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode()
