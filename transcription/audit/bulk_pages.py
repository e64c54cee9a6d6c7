"""The pages of bulk jobs: confirm, watch, stop, download. A job is its owner's alone."""

import io
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from transcription.audit import bulk
from transcription.audit.bulk import Kind, State
from transcription.audit.pages import may
from transcription.audit.search import counted
from transcription.models import BulkJob, BulkPart, Session


class Bulk(ModelAdmin):
    """The actions of the list of sessions; what is chosen may be many pages of it."""

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Asked by Django before the action is offered, and before it is done."""
        return may(request, "erase_session")

    @admin.action(description=gettext_lazy("Export selected sessions …"), permissions=["view"])
    def export_many(self, request: HttpRequest, chosen: QuerySet[Session]) -> HttpResponse:
        """Begin at once; with what was said if the user may see that."""
        return _begin(request, Kind.EXPORT, chosen, transcripts=may(request, "view_transcript"))

    @admin.action(description=gettext_lazy("Erase selected sessions …"), permissions=["erase"])
    def erase_many(self, request: HttpRequest, chosen: QuerySet[Session]) -> HttpResponse:
        """Ask first."""
        return _begin(request, Kind.ERASE, chosen, transcripts=False)


def _begin(request: HttpRequest, kind: str, chosen: QuerySet[Session], *, transcripts: bool) -> HttpResponse:
    if chosen.query.is_sliced is False and chosen[bulk.MOST_SESSIONS : bulk.MOST_SESSIONS + 1].exists():
        messages.warning(request, _("Only the first %d are taken.") % bulk.MOST_SESSIONS)
    job = bulk.begin(kind, user_key(request), chosen, datetime.now(UTC), transcripts=transcripts)
    if kind == Kind.EXPORT:
        _log(request, job, f"Export of {counted(len(job.keys))} begun{'' if transcripts else ', without transcripts'}.")
    return redirect("admin:transcription_bulk", job.pk)


@require_http_methods(["GET", "POST"])
def job(request: HttpRequest, model_admin: ModelAdmin, pk: int) -> HttpResponse:
    """How far it is. POST confirms an erasure (`confirm`), or stops what is not done (`stop`)."""
    found = _own(request, pk)
    if request.method == "POST":
        if "confirm" in request.POST and found.state == State.ASKED:
            BulkJob.objects.filter(pk=pk, state=State.ASKED).update(state=State.WAITING)
            _log(request, found, f"Erasure of {counted(len(found.keys))} begun.")
        elif "stop" in request.POST:
            bulk.stop(found)
        return redirect("admin:transcription_bulk", pk)
    titles = {Kind.EXPORT: _("Export of %s"), Kind.ERASE: _("Erasure of %s")}
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Session._meta,
        "title": titles[Kind(found.kind)] % counted(len(found.keys)),
        "job": found,
        "total": len(found.keys),
        "may_download": found.kind == Kind.EXPORT and found.state == State.DONE,
    }
    return TemplateResponse(request, "admin/transcription/session/bulk.html", context)


@require_safe
def download(request: HttpRequest, model_admin: ModelAdmin, pk: int) -> HttpResponseBase:
    """What was exported, as a ZIP with a JSON a session; noted in the admin's log."""
    found = _own(request, pk)
    if found.kind != Kind.EXPORT or found.state != State.DONE:
        return redirect("admin:transcription_bulk", pk)
    _log(request, found, f"Export of {counted(found.parts.count())} downloaded.")
    headers = {"Content-Disposition": f'attachment; filename="sessions-{pk}.zip"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(zipped(found), content_type="application/zip", headers=headers)


async def zipped(found: BulkJob) -> AsyncIterator[bytes]:
    """The file in pieces, none of them larger than a session."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        async for part in BulkPart.objects.filter(job=found).order_by("pk").aiterator(50):
            archive.writestr(part.name, zlib.decompress(part.content))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Where a ZIP is written that nobody holds the whole of."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def user_key(request: HttpRequest) -> int:
    """Of who has logged in."""
    assert request.user.pk is not None
    return request.user.pk


def _own(request: HttpRequest, pk: int) -> BulkJob:
    found = get_object_or_404(BulkJob, pk=pk, owner=request.user.pk)
    if not bulk.permitted(found):
        raise PermissionDenied
    return found


def _log(request: HttpRequest, job: BulkJob, message: str) -> None:
    LogEntry.objects.create(
        user_id=user_key(request),
        content_type=ContentType.objects.get_for_model(Session),
        object_repr=str(job),
        action_flag=CHANGE,
        change_message=message,
    )
