"""API keys in the admin: made, shown once, revoked."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.keys import access
from transcription.models import ApiKey

EDITABLE: list[Any] = ["name", "expires", "max_sessions", "minutes_a_day", "operator"]


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Keys; a revoked one stays revoked."""

    list_display = ["name", "begins_with", "state", "created", "expires", "last_used", "max_sessions", "minutes_a_day"]
    fields = EDITABLE
    search_fields = ["name", "prefix"]
    actions = ["revoke"]

    class Media:
        """Columns in sight, cards on a telephone."""

        css: ClassVar = {"all": ["transcription/lists.css"]}
        js: ClassVar = ["transcription/lists.js"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        """What is asked for a new key; of one there is, its history too."""
        return [*EDITABLE, *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        """What happened to a key is not to be edited."""
        return ["begins_with", "state", "created", "last_used", "revoked"] if obj else []

    @admin.display(description=_("begins with"), ordering="prefix")
    def begins_with(self, key: ApiKey) -> str:
        """What may be shown of a key: its first characters, which the prefix makes unique."""
        return f"stt_{key.prefix}_…"

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        """`good`, `expired` or `revoked`."""
        if key.revoked:
            return gettext("revoked")
        return gettext("expired") if key.expires and key.expires <= timezone.now() else gettext("good")

    @admin.action(description=_("Revoke selected API keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """Revoke them for good; their sessions end within `keyring.WATCH_S` and a tick."""
        count = access.revoke(chosen)
        told = ngettext(
            "%(count)d revoked; its sessions end within seconds.",
            "%(count)d revoked; their sessions end within seconds.",
            count,
        )
        self.message_user(request, told % {"count": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Save an edited key; a new one is issued, and its token is kept on the request for `response_add`."""
        if change:
            super().save_model(request, obj, form, change)
        else:
            request.new_token = access.issue(obj)

    def _show_once(self, request: HttpRequest, key: ApiKey, token: str) -> HttpResponse:
        shown = {"title": gettext("API key created"), "key": key, "token": token, "opts": self.opts}
        context = {**self.admin_site.each_context(request), **shown}
        return TemplateResponse(request, "admin/transcription/apikey/created.html", context)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key in the answer itself: a message would put it into a cookie."""
        return self._show_once(request, obj, request.new_token)
