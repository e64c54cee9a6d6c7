"""The Django app of the web process."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class TranscriptionConfig(AppConfig):
    """Sessions, their protocol and their records."""

    name = "transcription"
    verbose_name = _("Transcription")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the admin's pages and the cluster's metrics; have groups of users made after each migration."""
        from transcription.audit import admin, roles, text_index  # noqa: F401 - importing it registers its pages, and so below
        from transcription.cluster import collector
        from transcription.keys import admin as keys  # noqa: F401
        from transcription.webhooks import admin as webhooks  # noqa: F401
        from transcription.webhooks import collector as of_webhooks

        collector.register()
        of_webhooks.register()
        post_migrate.connect(roles.make, sender=self)
        post_migrate.connect(text_index.make, sender=self)
