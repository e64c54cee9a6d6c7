"""The audit: lists of sessions and segments, read-only. One session's page, and the others, are in `pages.py`."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import redis
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.text import Truncator, format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.audit import actions, bulk_pages, dates, pages
from transcription.audit.bulk_pages import Bulk
from transcription.audit.paging import EstimatingPaginator
from transcription.audit.search import Find, beginning
from transcription.audit.words import LIVE, LOST, STATES, UNKNOWN
from transcription.models import Segment, Session

BY_VALUE = ["language", "api_key_name"]
"""Columns of sessions that are shown, and filtered by what is in them; so is `dialect`, which is not shown."""
WHERE_SAID = ["session_id", "found", "external_id", "labels", "state", "api_key_name", "started_at", "audio_min"]
"""The columns of a list of what was said."""
MOST_SHOWN = 160
"""Characters of an utterance in a list."""
UID = re.compile(r"[0-9a-f]{32}")
SLOW_MS = 1000
"""From when on a final counts as slow; the index `segment_slow` holds those."""


class ReadOnly:
    """Nothing is added, changed or deleted by Django's own forms, whatever the user's permissions."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Records come from `records.py` alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened is not to be edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Erasing has a page and a permission of its own, because Redis and the admin's log have a part in it."""
        return False


class StateFilter(admin.SimpleListFilter):
    """Sessions that are live, that were lost with their web process, or that ended for one reason."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The reasons there are in the protocol, so that no query looks for those in the table."""
        return [(state, str(called)) for state, called in STATES.items() if state != UNKNOWN]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """By `reason`; of those without one Redis knows which are live. While it is away they all may be."""
        if self.value() not in (LIVE, LOST):
            return queryset.filter(reason=self.value()) if self.value() else queryset
        try:
            live = actions.live_uids()
        except redis.RedisError as error:
            told = _("Redis cannot be reached, what is live cannot be told from what is lost: %(error)s")
            messages.warning(request, told % {"error": error})
            return queryset.filter(reason="")
        unended = queryset.filter(reason="")
        return unended.filter(uid__in=live) if self.value() == LIVE else unended.exclude(uid__in=live)


class ErrorsFilter(admin.SimpleListFilter):
    """Sessions whose client was sent an error, or that lack a final."""

    title = _("errors")
    parameter_name = "had_errors"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """With errors, or without."""
        return [("yes", gettext("had errors")), ("no", gettext("had none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """By the session's counter of errors; what is above 0 has an index."""
        match self.value():
            case "yes":
                return queryset.filter(errors__gt=0)
            case "no":
                return queryset.filter(errors=0)
        return queryset


class ValueFilter(admin.AllValuesFieldListFilter):
    """By what is in a column; that nothing is in it is a choice too, and has a name."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Those of the values in the table."""
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or gettext("none")}


class SessionList(ChangeList):
    """A page of sessions, with which of them are really live."""

    def get_results(self, request: HttpRequest) -> None:
        """Set `held` on each session: whether a web process has it, asked of Redis once for those without an end."""
        super().get_results(request)
        try:
            held = actions.held(session for session in self.result_list if not session.reason)
        except redis.RedisError:
            held = None
        found: dict[int, int] = getattr(request, "found", {})
        shown = Segment.objects.only("segment_id", "text").in_bulk(
            [found[session.pk] for session in self.result_list if session.pk in found]
        )
        for session in self.result_list:
            session.held = held is None or session.pk in held
            session.found = shown.get(found.get(session.pk, 0))

    def dates(self) -> dict[str, Any] | None:
        """For the template of Django's own date hierarchy: where to narrow the list to, where to go back to."""
        started = self.model._default_manager.order_by("started_at").values_list("started_at", flat=True)
        first, last = started.first(), started.last()
        if first is None or last is None:
            return None
        found = dates.choices(self.date_hierarchy, self.params, timezone.localdate(first), timezone.localdate(last))
        back = found.back and {"title": found.back[0], "link": self._link(found.back[1])}
        return {"choices": [{"title": title, "link": self._link(at)} for title, at in found.choices], "back": back}

    def _link(self, lookups: dict[str, int]) -> str:
        return self.get_query_string(lookups, [f"{self.date_hierarchy}__"])


@admin.register(Session)
class SessionAdmin(ReadOnly, Bulk):
    """Sessions, the newest first."""

    list_display = [
        "session_id", "external_id", "labels", "state", "client", *BY_VALUE, "started_at", "duration", "audio_min",
        "total_segments", "errors", "worst_final",
    ]  # fmt: skip
    list_filter = [
        Find, StateFilter, ErrorsFilter, "started_at", *((name, ValueFilter) for name in (*BY_VALUE, "dialect")),
    ]  # fmt: skip
    search_fields = ["session_id", "uid"]
    search_help_text = _("The beginning of a session id or an external id, or a whole uid")
    date_hierarchy = "started_at"
    actions = ["export_many", "erase_many"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # counting each choice of each filter is a scan each
    paginator = EstimatingPaginator

    class Media:
        """Columns in sight, cards on a telephone."""

        css: ClassVar = {"all": ["transcription/lists.css"]}
        js: ClassVar = ["transcription/lists.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """A list has no use for the long columns."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match and (match.url_name or "").endswith("_changelist")
        return rows.defer("config", "events").prefetch_related("tags") if is_list else rows

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Where something is looked for in what was said, fewer columns, and where it was said."""
        return WHERE_SAID if request.GET.get("said") else self.list_display

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By indexes alone: a uid (or a session id that looks like one) is looked up, anything else is a beginning."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if UID.fullmatch(term):
            return queryset.filter(Q(uid=term) | Q(session_id=term)), False
        return beginning(queryset, "session_id", term) | beginning(queryset, "external_id", term), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """`SessionList`, for the dates and for what Redis knows."""
        return SessionList

    def get_urls(self) -> list[URLPattern]:
        """The pages beside the list."""
        wrap = self.admin_site.admin_view
        return [
            path("live/", wrap(pages.live), name="transcription_live"),
            path("workers/", wrap(pages.workers), name="transcription_workers"),
            path("bulk/<int:pk>/", wrap(self._page(bulk_pages.job)), name="transcription_bulk"),
            path("bulk/<int:pk>/zip", wrap(self._page(bulk_pages.download)), name="transcription_bulk_download"),
            path("<int:pk>/export/<str:extension>", wrap(self._page(pages.export)), name="transcription_export"),
            path("<int:pk>/cancel/", wrap(self._page(pages.cancel)), name="transcription_cancel"),
            path("<int:pk>/lift/", wrap(self._page(pages.lift)), name="transcription_lift"),
            path("<int:pk>/erase/", wrap(self._page(pages.erase)), name="transcription_erase"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One session: its timeline and transcript instead of a form."""
        session = self.get_object(request, object_id)
        if session is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return pages.detail(self, request, session)

    def _page(self, page: Any) -> Any:
        return lambda request, **arguments: page(request, self, **arguments)

    @admin.display(description=_("state"), ordering="reason")
    def state(self, session: Session) -> str:
        """`live`, why it ended, or `lost` when its web process ended without a word."""
        state = session.reason or (LIVE if session.held else LOST)
        return str(STATES.get(state, state))

    @admin.display(description=_("tags"))
    def labels(self, session: Session) -> str:
        """Each a link to the sessions that have it."""
        links = (({"tag": tag}, tag) for tag in actions.tags(session))
        return format_html_join(" ", '<a href="?{}" class="tag">{}</a>', ((urlencode(to), tag) for to, tag in links))

    @admin.display(description=_("said"))
    def found(self, session: Session) -> str:
        """The utterance that was found, with the way there."""
        if session.found is None:
            return ""
        page = reverse("admin:transcription_session_change", args=[session.pk])
        name, text = session.found.segment_id, session.found.text
        return format_html('<a href="{}?segment={}#{}">{}</a>', page, name, name, Truncator(text).chars(MOST_SHOWN))

    @admin.display(description=_("duration"))
    def duration(self, session: Session) -> str:
        """From start to end (h:mm:ss); a dash while it has none."""
        return str(session.ended_at - session.started_at).partition(".")[0] if session.ended_at else "–"

    @admin.display(description=_("audio min"), ordering="total_audio_ms")
    def audio_min(self, session: Session) -> str:
        """Minutes of audio received, to a tenth."""
        return f"{session.total_audio_ms / 60_000:.1f}"

    @admin.display(description=_("worst final"), ordering="worst_final_ms")
    def worst_final(self, session: Session) -> str:
        """The slowest final's latency from the end of speech (ms); a dash without finals."""
        return "–" if session.worst_final_ms is None else f"{session.worst_final_ms:.0f} ms"


class TroubleFilter(admin.SimpleListFilter):
    """What went wrong with a segment; each choice has an index."""

    title = _("trouble")
    parameter_name = "trouble"
    choices_of = {
        "failed": (_("no transcript"), ~Q(failure="")),
        "retried": (_("more than one try"), Q(attempts__gt=1)),
        "slow": (format_lazy(_("final after more than {ms} ms"), ms=SLOW_MS), Q(latency_ms__gt=SLOW_MS)),
    }

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The names and titles of `choices_of`."""
        return [(name, str(choice[0])) for name, choice in self.choices_of.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """By the choice's condition, which is word for word that of its index in `transcription/models.py`."""
        choice = self.choices_of.get(self.value() or "")
        return queryset.filter(choice[1]) if choice else queryset


@admin.register(Segment)
class SegmentAdmin(ReadOnly, admin.ModelAdmin):
    """Segments of all sessions, the newest first: to find what was slow or failed. Never what was said."""

    list_display = ["segment_id", "of_session", "created_at", "duration_s", "after_speech", "attempts", "failure"]
    list_filter = [TroubleFilter]
    list_select_related = ["session"]
    ordering = ["-id"]
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = EstimatingPaginator
    actions = None

    class Media:
        """Columns in sight, cards on a telephone."""

        css: ClassVar = {"all": ["transcription/lists.css"]}
        js: ClassVar = ["transcription/lists.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """The columns that are shown, and no text: rows may be long."""
        shown = ["segment_id", "created_at", "duration_ms", "latency_ms", "attempts", "failure"]
        return super().get_queryset(request).only(*shown, "session__session_id")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The segment's place on its session's page."""
        segment = self.get_object(request, object_id)
        if segment is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        page = reverse("admin:transcription_session_change", args=[segment.session_id])
        return redirect(f"{page}?segment={segment.segment_id}#{segment.segment_id}")

    @admin.display(description=_("session"))
    def of_session(self, segment: Segment) -> str:
        """The client's name for it, with the way there."""
        page = reverse("admin:transcription_session_change", args=[segment.session_id])
        return format_html('<a href="{}">{}</a>', page, segment.session)

    @admin.display(description=_("duration s"))
    def duration_s(self, segment: Segment) -> str:
        """How long the segment is, in seconds to a tenth."""
        return f"{segment.duration_ms / 1000:.1f}"

    @admin.display(description=_("latency"))
    def after_speech(self, segment: Segment) -> str:
        """The final's latency from the end of speech (ms); a dash without one."""
        return "–" if segment.latency_ms is None else f"{segment.latency_ms:.0f} ms"
