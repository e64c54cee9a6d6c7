"""The Django app of the web process."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TranscriptionConfig(AppConfig):
    """Sessions, their protocol and their records."""

    name = "transcription"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, the metrics and the making of groups."""
        from transcription import checks, metrics, roles  # noqa: F401 - importing checks registers them

        metrics.register()
        post_migrate.connect(roles.make, sender=self)
