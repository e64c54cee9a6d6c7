"""Django's admin with the service's site; in a module of its own, as Django takes a module's only app by itself."""

from django.contrib.admin.apps import AdminConfig


class Admin(AdminConfig):
    """The admin."""

    default_site = "transcription.audit.site.Site"
