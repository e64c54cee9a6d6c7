"""Writes what the documentation says of the code: `python -m docs.generate`, part of `make docs`.

Generated text stands between markers, `<!-- settings -->` and `<!-- /settings -->`; all else is written by hand. The
settings come from `sttproject/env.py` and `launcher/profile.py`, the examples from `docs/examples.json`, which
`docs/capture.py` records.
"""

import json
import re
import sys
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from launcher.profile import EMBEDDED_PROFILE, GPU_PROFILE
from sttproject.env import Env, variable

DOCS = Path(__file__).parent
EXAMPLES = DOCS / "examples.json"
DIALECTS = DOCS / "dialects.md"
GOLDEN = DOCS.parent / "tests" / "golden"
FRAMES = ("deepgram", "deepgram_flux", "openai_realtime")
"""The conversations that `DIALECTS` shows frames of."""
LINE_LENGTH = 140


def documents() -> dict[Path, str]:
    """Every file with a generated part, as it should be."""
    configuration, protocol, dialects = DOCS / "configuration.md", DOCS / "protocol.md", DIALECTS.read_text()
    text = protocol.read_text()
    for name, message in examples().items():
        text = fill(text, f"example: {name}", f"```json\n{pretty(message)}\n```")
    for name in FRAMES:
        shown = "\n".join(first_of_each_kind((GOLDEN / f"{name}.jsonl").read_text().splitlines()))
        dialects = fill(dialects, f"frames: {name}", f"```json\n{shown}\n```")
    settings = fill(configuration.read_text(), "settings", settings_table())
    settings = fill(settings, "profile", profile(EMBEDDED_PROFILE))
    return {configuration: fill(settings, "gpu profile", profile(GPU_PROFILE)), protocol: text, DIALECTS: dialects}


def examples() -> dict[str, Any]:
    """The recorded messages by name."""
    groups = json.loads(EXAMPLES.read_text())
    return {name: message for group in groups.values() for name, message in group.items()}


def first_of_each_kind(lines: list[str]) -> list[str]:
    """Of the lines of a golden file, the first of each kind of text frame; finals are a kind of their own."""
    kinds: dict[object, str] = {}
    for line in lines:
        for side, frame in json.loads(line).items():
            if isinstance(frame, dict):
                kinds.setdefault((side, frame["type"], frame.get("event"), frame.get("is_final")), line)
    return list(kinds.values())


def fill(text: str, name: str, content: str) -> str:
    """Put `content` between the markers of `name`, wherever they are; they must be somewhere."""
    word = name.partition(":")[0]
    pattern = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{word} -->)"
    filled, count = re.subn(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    assert count, f"no markers for {name}"
    return filled


def settings_table() -> str:
    """Every variable with its default, what is allowed and what it means."""
    rows = ["| Variable | Default | Allowed | Meaning |", "|---|---|---|---|"]
    for name, field in Env.model_fields.items():
        value = f"`{default(name)}`" if default(name) else "not set"
        rows.append(f"| `{variable(name)}` | {value} | {allowed(field)} | {field.description} |")
    return "\n".join(rows)


def profile(settings: dict[str, object]) -> str:
    """One of the launcher's profiles, as `.env` would have it."""
    lines = [f"{variable(name)}={written(value)}" for name, value in settings.items()]
    return "\n".join(["```", *lines, "```"])


def default(name: str) -> str:
    """A field's default as one would write it into the environment."""
    return written(Env.model_fields[name].default)


def written(value: object) -> str:
    """A value as text of the environment; nothing for `None`."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ",".join(value)
    return str(value)


def allowed(field: FieldInfo) -> str:
    """The values a field takes, in words."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in kinds)
    kind = kinds[0] if kinds else field.annotation
    if kind is bool:
        return "`true`, `false`"
    bounds = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le") if hasattr(rule, name)
    }
    if kind in (int, float):
        return _number("whole number" if kind is int else "number", bounds)
    patterns = [pattern for rule in field.metadata if (pattern := getattr(rule, "pattern", None))]
    return f"matches `{patterns[0]}`".replace("|", "\\|") if patterns else "text"


def pretty(message: Any) -> str:
    """JSON with the innermost objects on one line where they fit."""

    def joined(match: re.Match[str]) -> str:
        line = match[1] + re.sub(r"\s*\n\s*", " ", match[2]).replace("{ ", "{").replace(" }", "}")
        return line if len(line) <= LINE_LENGTH else match[0]

    return re.sub(r"(?m)^(.*)(\{[^{}]*\})", joined, json.dumps(message, indent=2, ensure_ascii=False))


def _number(kind: str, bounds: dict[str, float]) -> str:
    low, above, high = bounds.get("ge"), bounds.get("gt"), bounds.get("le")
    if low is not None and high is not None:
        return f"{low:.10g} to {high:.10g}"
    if above is not None:
        return f"{kind} over {above:.10g}"
    return f"{kind}, at least {low:.10g}" if low is not None else kind


def main() -> None:
    """Bring every file up to date."""
    for path, text in documents().items():
        path.write_text(text)
        sys.stdout.write(f"{path.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
