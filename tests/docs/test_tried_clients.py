"""The table of other services' clients in docs/dialects.md names each that the tests run, at the version they run."""

import json
import re

from harness.processes import ROOT

PYTHON = {"openai", "deepgram-sdk", "livekit-plugins-deepgram", "livekit-plugins-openai", "pipecat-ai"}
TOOLS = {"ws"}
"""Of package.json: no client of a service."""


def pinned() -> set[tuple[str, str]]:
    """Clients and their versions, those for JavaScript with `(npm)` where a Python one has the same name."""
    lists = [(ROOT / "requirements" / name).read_text() for name in ("dev.txt", "clients.txt")]
    found = {pin for text in lists for pin in re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE)}
    package = json.loads((ROOT / "tests/dialects/javascript/package.json").read_text())
    javascript = {(_npm(name), version) for name, version in package["dependencies"].items() if name not in TOOLS}
    return {(name, version) for name, version in found if name in PYTHON} | javascript


def _npm(name: str) -> str:
    return f"{name} (npm)" if name in PYTHON else name


def test_the_table_has_the_clients_and_versions_that_are_tested() -> None:
    text = (ROOT / "docs/dialects.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` ([0-9.]+)( \(npm\))?[, ]", text, re.MULTILINE)

    assert {(name + npm, version) for name, version, npm in rows} == pinned()
    assert {name for name, _ in pinned()} == PYTHON | {"@deepgram/sdk", "openai (npm)"}
