"""The admin's site: usage on its home, the pages that are no lists in its navigation."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _

from transcription.audit import home


class Site(AdminSite):
    """Django's own, with these added."""

    index_template = "admin/transcription/home.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The home, with usage."""
        return super().index(request, {**home.context(request), **(extra_context or {})})

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """The usage as a file, beside Django's."""
        return [path("usage.csv", self.admin_view(home.as_csv), name="usage_csv"), *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The lists, with *Live* and *Workers* beside those of the audit."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "transcription":
                app["models"] += self._pages(request)
        return apps

    def _pages(self, request: HttpRequest) -> list[dict[str, Any]]:
        pages = [
            (_("Live"), "watch_session", "admin:transcription_live"),
            (_("Workers"), "view_session", "admin:transcription_workers"),
        ]
        return [
            {
                "name": name,
                "object_name": name,
                "admin_url": reverse(url),
                "add_url": None,
                "view_only": True,
                "perms": {"add": False, "change": False, "delete": False, "view": True},
            }
            for name, permission, url in pages
            if request.user.has_perm(f"transcription.{permission}")
        ]
