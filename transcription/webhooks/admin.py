"""Webhooks in the admin: made, their secret shown once; what they have not taken, and sending that again."""

import secrets
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as said
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from transcription.core.webhooks import is_allowed, make_secret
from transcription.models import Delivery, Webhook
from transcription.webhooks import queue

SECRET_BYTES = 32


class WebhookForm(forms.ModelForm):
    """A webhook, at a host that is allowed."""

    class Meta:
        model = Webhook
        fields: ClassVar = ["name", "url", "segment_final", "session_closed", "api_key", "active"]

    def clean_url(self) -> str:
        """At one of the hosts of STT_WEBHOOK_HOSTS; what its name resolves to is looked at when something is sent."""
        url: str = self.cleaned_data["url"]
        allowed = settings.STT.webhook_hosts
        try:
            good = "//" in url and is_allowed(url, allowed)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        if not good:
            hosts = ", ".join(allowed) or said("none: the setting is empty")
            raise forms.ValidationError(
                said("Expected an address at a host of STT_WEBHOOK_HOSTS (%(hosts)s).") % {"hosts": hosts}
            )
        return url


class Lists:
    """Columns in sight, cards on a telephone."""

    css: ClassVar = {"all": ["transcription/lists.css"]}
    js: ClassVar = ["transcription/lists.js"]


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    """Webhooks; the secret of one is shown when it is made, and never again."""

    form = WebhookForm
    list_display = ["name", "url", "active", "api_key", "delivered", "failed", "given_up", "last_delivered"]
    list_select_related = ["api_key"]

    class Media(Lists):
        """As all lists."""

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        """Give a new one its secret."""
        if not change:
            obj.secret = make_secret(secrets.token_bytes(SECRET_BYTES))
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret in the answer itself: a message would put it into a cookie."""
        context = {**self.admin_site.each_context(request), "title": _("Webhook created"), "webhook": obj}
        page = "admin/transcription/webhook/created.html"
        response = TemplateResponse(request, page, context | {"opts": self.opts})
        response["Cache-Control"] = "no-store"
        return response


class GivenUpFilter(admin.SimpleListFilter):
    """Events that are given up, or that wait for their next attempt."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        """Two states."""
        return [("given_up", _("given up")), ("waiting", _("waiting"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """By `given_up`; each choice has an index."""
        return queryset.filter(given_up__isnull=self.value() == "waiting") if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    """Events that were not taken; never what they say: that is the session's page's to show."""

    list_display = ["event_id", "event_type", "webhook", "session", "created", "attempts", "failure", "given_up"]
    list_filter = [GivenUpFilter, "webhook"]
    list_select_related = ["webhook", "session"]
    fields = ("event_id", "event_type", "webhook", "session", "created", "attempts", "failure", "given_up")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["send_again"]

    class Media(Lists):
        """As all lists."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """A list has no use for bodies."""
        return super().get_queryset(request).defer("body")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Events come from records alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        """What is signed is not to be edited."""
        return False

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        """A permission of its own, which Django's names know nothing of."""
        return request.user.has_perm("transcription.redeliver_delivery")

    @admin.action(description=_("Send selected events again"), permissions=["redeliver"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Now, under the ids that they have."""
        count = queue.send_again(chosen, datetime.now(UTC))
        told = ngettext("%(count)d event is sent again.", "%(count)d events are sent again.", count)
        self.message_user(request, told % {"count": count}, messages.SUCCESS)
