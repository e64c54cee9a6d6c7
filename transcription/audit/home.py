"""The home of the admin: usage of today and of the last days, as charts and tables, as CSV, and by `/api/usage`."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from transcription.audit import charts, usage
from transcription.audit.charts import Bar
from transcription.audit.pages import require
from transcription.audit.usage import DAYS, FIGURES, MOST_DAYS, PARTS, Line, Report
from transcription.keys import access

MOST_DRAWN = 62
"""Days on a page; a file may have more."""
BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
FORMULA = re.compile(r"[=+\-@\t\r]")
"""What a spreadsheet takes for the beginning of a formula."""


class BadQuery(Exception):
    """A parameter is not what it has to be; the message names it."""


def asked(query: Mapping[str, str], most: int = MOST_DAYS) -> tuple[int, dict[str, str]]:
    """How many days, and what they are narrowed to. Raises `BadQuery`."""
    days = query.get("days", str(DAYS))
    if not (re.fullmatch("[0-9]{1,9}", days) and 1 <= int(days) <= most):
        raise BadQuery(f"days: expected 1 to {most}, got {days[:20]}")
    return int(days), {part: query[part] for part in PARTS if part in query}


def context(request: HttpRequest) -> dict[str, Any]:
    """What the template of the admin's index shows besides; nothing to those who may not see sessions."""
    if not request.user.has_perm("transcription.view_session"):
        return {}
    try:
        days, narrowed = asked(request.GET, MOST_DRAWN)
    except BadQuery:
        days, narrowed = DAYS, {}
    report = usage.read(datetime.now(UTC), days, narrowed)
    return {
        "usage": {
            "days": days,
            "narrowed": [(_titles()[part], name or _("none")) for part, name in narrowed.items()],
            "made_at": report.made_at,
            "time_zone": timezone.get_default_timezone_name(),
            "query": request.GET.urlencode(),
            "tiles": [(_titles()[name], value) for name, value in report.today.figures.items() if name != "segments"],
            "charts": _charts(report, narrowed),
            "tables": _tables(report, narrowed),
            "heads": [_titles()[name] for name in FIGURES],
        }
    }


@require_safe
def as_csv(request: HttpRequest) -> HttpResponse:
    """Everything that the page shows, a line each."""
    require(request, "view_session")
    try:
        report = usage.read(datetime.now(UTC), *asked(request.GET))
    except BadQuery as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="usage.csv"', "Cache-Control": "no-store"},
    )
    writer = csv.writer(response)
    writer.writerow(["of", "name", *FIGURES])
    for kind, line in report.lines():
        writer.writerow([kind, _harmless(line.name), *line.figures.values()])
    return response


@require_safe
def api(request: HttpRequest) -> JsonResponse:
    """The same as JSON, for an operator's key."""
    given = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    if not (given and access.is_operator(given[1])):
        message = "Expected an operator's API key: Authorization: Bearer <key>"
        return JsonResponse({"error": message}, status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        report = usage.read(datetime.now(UTC), *asked(request.GET))
    except BadQuery as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse(report.told(), headers={"Cache-Control": "no-store"})


def _titles() -> dict[str, str]:
    return {
        "calls": _("calls"),
        "minutes": _("minutes"),
        "refusals": _("refusals"),
        "errors": _("errors"),
        "segments": _("segments"),
        "final_p50_ms": _("final p50, ms"),
        "final_p95_ms": _("final p95, ms"),
        "first_text_p50_ms": _("first text p50, ms"),
        "first_text_p95_ms": _("first text p95, ms"),
        "key": _("key"),
        "language": _("language"),
        "dialect": _("dialect"),
        "day": _("day"),
        "hour": _("hour"),
    }


def _charts(report: Report, narrowed: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Title and picture of each."""

    def chart(title: str, lines: Sequence[Line], *names: str, **filters: str) -> tuple[str, Any]:
        bars = [_bar(line, names, lambda line: _sessions(line, narrowed, **filters)) for line in lines]
        return title, charts.draw(title, bars)

    return [
        chart(_("Calls today, by the hour"), report.hours, "calls"),
        chart(_("Calls"), report.days, "calls"),
        chart(_("Minutes of audio"), report.days, "minutes"),
        chart(_("Refused starts"), report.days, "refusals"),
        chart(_("Errors"), report.days, "errors", had_errors="yes"),
        chart(_("Finals after speech, p95 and p50 (ms)"), report.days, "final_p50_ms", "final_p95_ms", o="-13"),
        chart(_("First text, p95 and p50 (ms)"), report.days, "first_text_p50_ms", "first_text_p95_ms"),
    ]


def _bar(line: Line, names: Sequence[str], link: Callable[[Line], str]) -> Bar:
    figures = line.figures
    told = ", ".join(f"{_titles()[name]} {'–' if figures[name] is None else figures[name]}" for name in names)
    short = line.name[5:] if line.name.count("-") == 2 else line.name
    return Bar(short, [figures[name] or 0 for name in names], f"{line.name}: {told}", link(line))


def _tables(report: Report, narrowed: Mapping[str, str]) -> list[dict[str, Any]]:
    """By key, language and dialect; and the days, the latest first."""
    tables = []
    for part, lines in report.parts.items():
        rows = [
            (line.name or _("none"), f"?{urlencode({**narrowed, part: line.name})}", line.figures.values())
            for line in lines
        ]
        tables.append({"title": _titles()[part], "rows": rows})
    days = [(line.name, _sessions(line, narrowed), line.figures.values()) for line in reversed(report.days)]
    return [*tables, {"title": _titles()["day"], "rows": days, "folded": True}]


def _sessions(line: Line, narrowed: Mapping[str, str], **filters: str) -> str:
    """The list of the sessions behind a line."""
    query = {PARTS[part]: name for part, name in narrowed.items()} | filters
    if line.begins and line.ends:
        query |= {"started_at__gte": line.begins.isoformat(" "), "started_at__lt": line.ends.isoformat(" ")}
    return f"{reverse('admin:transcription_session_changelist')}?{urlencode(query)}"


def _harmless(name: str) -> str:
    """A key's name, which whoever made the key chose, for a spreadsheet."""
    return f"'{name}" if FORMULA.match(name) else name
