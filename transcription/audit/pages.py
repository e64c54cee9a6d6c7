"""The admin's pages besides the lists: one session, its export, cancel, erase; the workers; the live page."""

import json
import re
from typing import Any

import redis
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import get_script_prefix, reverse
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from transcription.audit import actions, barring, svg
from transcription.audit.barring import BarForm
from transcription.audit.layout import LATENCY_STAGES, TimelineEvent, TimelineSegment, layout
from transcription.audit.words import LIVE, LOST, STATES, UNKNOWN
from transcription.cluster.capacity import probe_client, read_cluster
from transcription.core.languages import PORTUGUESE
from transcription.models import Segment, Session

SEGMENTS_A_PAGE = 100
SHADES = (0.3, 0.5, 0.7, 0.9)
"""Probabilities between a word's shades, from doubtful (`p0`) to sure (`p4`)."""
LIVE_TEXTS = {
    "live": _("Live"),
    "trying": _("Not connected; trying again …"),
    "notLoggedIn": _("Log in again to watch."),
    "notPermitted": _("Watching is not permitted any more."),
    "noSession": _("No session is live."),
    "noWorker": _("No worker has been heard of in the last seconds."),
    "speaking": _("speaking"),
}
"""What the live page's script says."""
FACTS = [
    "uid", "external_id", "client", "api_key_name", "language", "dialect", "sample_rate", "started_at", "ended_at",
    "total_segments", "errors",
]  # fmt: skip


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the user has one of this app's permissions."""
    return request.user.has_perm(f"transcription.{permission}")


def require(request: HttpRequest, permission: str) -> None:
    """Go on only with one of this app's permissions. Raises `PermissionDenied`, which Django answers with 403."""
    if not may(request, permission):
        raise PermissionDenied


def detail(model_admin: ModelAdmin, request: HttpRequest, session: Session) -> HttpResponse:
    """Timeline, transcript and events of one session, a page of segments at a time."""
    require(request, "view_session")
    transcripts = may(request, "view_transcript")
    rows = Segment.objects.filter(session=session).order_by("start_ms", "pk")
    if not transcripts:
        rows = rows.defer("text", "words")
    page = Paginator(rows, SEGMENTS_A_PAGE).get_page(_page_number(request, rows))
    segments = list(page.object_list)
    for segment in segments:
        segment.at = svg.clock(segment.start_ms / 1000)
        segment.seconds = round(segment.duration_ms / 1000, 1)
        segment.speaker = actions.speaker(session, segment)
        segment.split = [segment.latency.get(stage) for stage in LATENCY_STAGES]
        if transcripts:
            segment.shaded = [(_shade(word["probability"]), _about(word), word["word"]) for word in segment.words]
    state = session.reason or _live_state(session)
    context = {
        **admin.site.each_context(request),
        "opts": Session._meta,
        "title": gettext("Session %(name)s") % {"name": session},
        "session": session,
        "state": state,
        "state_called": STATES.get(state, state),
        "facts": actions.facts(session, FACTS),
        "tags": actions.tags(session),
        "audio": svg.clock(session.total_audio_ms / 1000),
        "events": [(svg.clock(event["t_ms"] / 1000), event) for event in session.events],
        "config": json.dumps(session.config, indent=2, ensure_ascii=False),
        "page": page,
        "segments": segments,
        "transcripts": transcripts,
        "timeline": svg.draw(layout(*_picture(session, segments, page.number, page.paginator.num_pages))),
        "legend": [(svg.swatch(kind), meaning) for kind, meaning in svg.LEGEND],
        "exports": ["json", *(actions.TEXT_FORMATS if transcripts else ())],
        "formatted": actions.TEXT_FORMATS if transcripts and session.language == PORTUGUESE else (),
        "may_cancel": not session.reason and state != LOST and may(request, "cancel_session"),
        "may_erase": may(request, "erase_session"),
        "bars": _bars(session) if may(request, "cancel_session") else [],
    }
    return TemplateResponse(request, "admin/transcription/session/detail.html", context)


@require_safe
def export(request: HttpRequest, model_admin: ModelAdmin, pk: int, extension: str) -> HttpResponse:
    """The session as a file, `extension` being `json`, `srt`, `vtt` or `txt`; noted in the admin's log.

    With `?formatted` texts of Portuguese sessions are as Brazilians write them.
    """
    require(request, "view_session")
    session = get_object_or_404(Session, pk=pk)
    transcripts = may(request, "view_transcript")
    formatted = "formatted" in request.GET and session.language == PORTUGUESE
    rows = Segment.objects.filter(session=session).order_by("start_ms", "pk")
    if extension == "json":
        content, media_type = actions.as_json(session, list(rows), transcripts=transcripts), "application/json"
    elif extension in actions.TEXT_FORMATS:
        require(request, "view_transcript")
        media_type, write = actions.TEXT_FORMATS[extension]
        wanted = rows.only("start_ms", "duration_ms", "text", "words", "channel", "language")
        content = write(actions.said(session, wanted, formatted=formatted))
    else:
        raise Http404(f"No format {extension}: expected json, {', '.join(actions.TEXT_FORMATS)}")
    told = _("Exported as {format}.") if transcripts else _("Exported as {format}, without transcripts.")
    note(model_admin, request, session, format_lazy(told, format=extension))
    name = re.sub(r"[^\w.-]", "_", session.session_id)
    return HttpResponse(
        content,
        content_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.{extension}"', "Cache-Control": "no-store"},
    )


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, model_admin: ModelAdmin, pk: int) -> HttpResponseBase:
    """End a live session, once confirmed, and bar its caller if that is asked for: GET asks, POST does it."""
    require(request, "cancel_session")
    session = get_object_or_404(Session, pk=pk)
    form = BarForm(session, request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        title = gettext("Cancel session %(name)s?") % {"name": session}
        meaning = gettext("It ends at once; what is not yet transcribed is dropped.")
        return _confirm(request, session, title, {"action": gettext("Cancel"), "meaning": meaning, "form": form})
    try:
        if barred := form.bar_it():  # first, so that nobody is back before
            note(model_admin, request, session, barred)
            messages.success(request, str(barred))
        if session.pk in actions.held([session]):
            actions.cancel(session)
            note(model_admin, request, session, _("Cancelled."))
            messages.success(request, _("Session %(name)s is told to end.") % {"name": session})
        else:
            told = _("Session %(name)s is not live: no web process holds it.")
            messages.error(request, told % {"name": session})
    except redis.RedisError as error:
        told = _("Redis cannot be reached, nothing was cancelled: %(error)s")
        messages.error(request, told % {"error": error})
    return redirect("admin:transcription_session_change", pk)


@require_POST
def lift(request: HttpRequest, model_admin: ModelAdmin, pk: int) -> HttpResponseBase:
    """Take back the bar that keeps a session's caller out, on its session id or its API key."""
    require(request, "cancel_session")
    session = get_object_or_404(Session, pk=pk)
    try:
        if lifted := str(barring.lift(session, request.POST.get("bar", ""))):
            model_admin.log_change(request, session, lifted)
            messages.success(request, lifted)
        else:
            messages.info(request, _("There is no such bar, or no longer."))
    except redis.RedisError as error:
        messages.error(request, _("Redis cannot be reached, nothing was lifted: %(error)s") % {"error": error})
    return redirect("admin:transcription_session_change", pk)


@require_http_methods(["GET", "POST"])
def erase(request: HttpRequest, model_admin: ModelAdmin, pk: int) -> HttpResponseBase:
    """Delete a session's records and what Redis still has of it, once confirmed: GET asks, POST does it."""
    require(request, "erase_session")
    session = get_object_or_404(Session, pk=pk)
    if request.method != "POST":
        title = gettext("Erase session %(name)s?") % {"name": session}
        meaning = gettext("Its records, transcripts and audio are deleted for good.")
        return _confirm(request, session, title, {"action": gettext("Erase"), "meaning": meaning, "erases": True})
    try:
        if session.pk in actions.held([session]):
            messages.error(request, _("Session %(name)s is live: cancel it first.") % {"name": session})
            return redirect("admin:transcription_session_change", pk)
        with transaction.atomic():
            model_admin.log_deletions(request, Session.objects.filter(pk=pk))
            actions.erase(session)
    except redis.RedisError as error:
        told = _("Redis cannot be reached, nothing was erased: %(error)s")
        messages.error(request, told % {"error": error})
        return redirect("admin:transcription_session_change", pk)
    messages.success(request, _("Session %(name)s is erased.") % {"name": session})
    return redirect("admin:transcription_session_changelist")


@require_safe
def workers(request: HttpRequest) -> HttpResponse:
    """The workers heard of in the last seconds."""
    require(request, "view_session")
    context: dict[str, Any] = {**admin.site.each_context(request), "opts": Session._meta, "title": gettext("Workers")}
    try:
        context["workers"] = read_cluster(probe_client()).workers
    except redis.RedisError as error:
        messages.error(request, _("Redis cannot be reached: %(error)s") % {"error": error})
    return TemplateResponse(request, "admin/transcription/session/workers.html", context)


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """A page that `live.py` fills over its WebSocket."""
    require(request, "watch_session")
    context = {
        **admin.site.each_context(request),
        "opts": Session._meta,
        "title": gettext("Live"),
        "session_url": reverse("admin:transcription_session_changelist"),
        "socket": f"{get_script_prefix()}ws/admin/live?language={get_language()}",
        "transcripts": may(request, "view_transcript"),
        "texts": LIVE_TEXTS,
    }
    return TemplateResponse(request, "admin/transcription/session/live.html", context)


def note(model_admin: ModelAdmin, request: HttpRequest, session: Session, told: str | Promise) -> None:
    """Keep in the admin's log what was done, in the language of the installation: whoever did it, one reads it."""
    with override(settings.LANGUAGE_CODE):
        model_admin.log_change(request, session, str(told))


def _confirm(request: HttpRequest, session: Session, title: str, shown: dict[str, Any]) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "opts": Session._meta,
        "title": title,
        "session": session,
        **shown,
    }
    return TemplateResponse(request, "admin/transcription/session/confirm.html", context)


def _page_number(request: HttpRequest, rows: QuerySet) -> str | int:
    """The page asked for, by number or by a segment on it."""
    if not (segment_id := request.GET.get("segment")):
        return request.GET.get("p", 1)
    wanted = rows.filter(segment_id=segment_id).values_list("start_ms", flat=True).first()
    return 1 if wanted is None else rows.filter(start_ms__lt=wanted).count() // SEGMENTS_A_PAGE + 1


def _picture(
    session: Session, segments: list[Segment], number: int, pages: int
) -> tuple[list[TimelineSegment], list[TimelineEvent]]:
    """What the timeline of a page shows: its segments, and the events up to the next page's first."""
    spoken = [
        TimelineSegment(
            s.segment_id, s.start_ms, s.duration_ms, s.speech_end_ms, s.latency, s.partials, s.failure, s.speaker
        )
        for s in segments
    ]
    first = segments[0].start_ms if segments and number > 1 else 0.0
    last = segments[-1].start_ms + segments[-1].duration_ms if segments and number < pages else float("inf")
    return spoken, [TimelineEvent(**event) for event in session.events if first <= event["t_ms"] < last]


def _bars(session: Session) -> list[tuple[str, str]]:
    try:
        return barring.standing(session)
    except redis.RedisError:
        return []


def _live_state(session: Session) -> str:
    try:
        return LIVE if actions.held([session]) else LOST
    except redis.RedisError:
        return UNKNOWN


def _shade(probability: float) -> str:
    return f"p{sum(probability >= bound for bound in SHADES)}"


def _about(word: dict[str, Any]) -> str:
    return f"{word['start']:.2f}–{word['end']:.2f} s, {word['probability']:.0%}"
