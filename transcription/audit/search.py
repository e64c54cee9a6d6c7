"""Finding calls: what a list of sessions may be narrowed to besides its filters. All of it is in the page's address,

so that a search is kept, and shared, as a link; nothing of it is kept here, where it might outlive who it names.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.audit import text_index
from transcription.core.metadata import MAX_EXTERNAL_ID, MAX_TAG


class FindForm(forms.Form):
    """What to look for; what is left empty is not asked."""

    said = forms.CharField(label=_("said"), required=False, max_length=200)
    external_id = forms.CharField(label=_("external id"), required=False, max_length=MAX_EXTERNAL_ID)
    tag = forms.CharField(label=_("tag"), required=False, max_length=MAX_TAG)
    client = forms.CharField(label=_("address"), required=False, max_length=64)
    since = forms.DateField(label=_("from"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(label=_("to"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    slower = forms.IntegerField(label=_("a final slower than (ms)"), required=False, min_value=0, max_value=600_000)

    def __init__(self, data: Any, *, transcripts: bool) -> None:
        """`transcripts`: whether what was said may be asked for."""
        super().__init__(data, auto_id="find_%s", use_required_attribute=False)
        if not transcripts:
            del self.fields["said"]

    def clean(self) -> dict[str, Any]:
        """A range has its ends in order."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and since > until:
            self.add_error("until", _("Expected no earlier date than that of “from”."))
        return self.cleaned_data


class Find(admin.ListFilter):
    """The form beside the list's filters."""

    title = _("find")
    template = "admin/transcription/session/find.html"

    def __init__(self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name)[-1] for name in FindForm.base_fields if name in params}
        self.used_parameters = {name: value for name, value in given.items() if value}
        transcripts = request.user.has_perm("transcription.view_transcript")
        if "said" in self.used_parameters and not transcripts:
            raise PermissionDenied
        self.form = FindForm(given, transcripts=transcripts)

    def has_output(self) -> bool:
        """There is always something to look for."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """The form's fields."""
        return [*FindForm.base_fields]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """For the template: the form, and what else the page's address says, which stays."""
        others = [(name, value) for name, values in changelist.filter_params.items() for value in values]
        kept = [(name, value) for name, value in others if name not in FindForm.base_fields]
        if changelist.query:
            kept.append(("q", changelist.query))
        yield {"form": self.form, "kept": kept, "used": bool(self.used_parameters)}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The sessions that are looked for; none where a field is wrong, which the form then says."""
        if not self.used_parameters:
            return queryset
        if not self.form.is_valid():
            return queryset.none()
        asked = self.form.cleaned_data
        since, until = day_begins(asked["since"]), day_begins(asked["until"], after=True)
        for name in ("external_id", "client"):
            if asked[name]:
                queryset = beginning(queryset, name, asked[name].strip())
        if asked["tag"]:
            queryset = queryset.filter(tags__name=asked["tag"].strip())
        if since:
            queryset = queryset.filter(started_at__gte=since)
        if until:
            queryset = queryset.filter(started_at__lt=until)
        if asked["slower"] is not None:
            queryset = queryset.filter(worst_final_ms__gt=asked["slower"])
        if asked.get("said"):
            queryset = self._said(request, queryset, asked["said"], since, until)
        return queryset

    def _said(
        self, request: HttpRequest, queryset: QuerySet, words: str, since: datetime | None, until: datetime | None
    ) -> QuerySet:
        found = text_index.find(words, since, until)
        request.found = found  # the list shows where
        if len(found) >= text_index.MOST_FOUND:
            text = gettext("Only the newest %d utterances with these words were looked at.")
            messages.info(request, text % text_index.MOST_FOUND)
        return queryset.filter(pk__in=found)


def day_begins(date: Any, *, after: bool = False) -> datetime | None:
    """When a date begins, or the one `after` it, by the service's time zone; nothing at the calendar's ends."""
    if date is None:
        return None
    try:
        return timezone.make_aware(datetime.combine(date + timedelta(days=int(after)), time.min)).astimezone(UTC)
    except OverflowError:  # 0001-01-01 or 9999-12-31: bounds nothing
        return None


def beginning(rows: QuerySet, column: str, text: str) -> QuerySet:
    """Rows whose column begins with a text, by its index."""
    if connections[rows.db].vendor == "sqlite":  # whose LIKE uses no index of a case-sensitive column
        return rows.filter(**{f"{column}__gte": text, f"{column}__lt": f"{text}\U0010ffff"})
    return rows.filter(**{f"{column}__startswith": text})


def counted(count: int) -> str:
    """A number of sessions in words."""
    return ngettext("%d session", "%d sessions", count) % count
