"""The Django app of the web process."""

from django.apps import AppConfig


class TranscriptionConfig(AppConfig):
    """Sessions, their protocol and their records."""

    name = "transcription"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and the metrics."""
        from transcription import checks, metrics  # noqa: F401 - importing checks registers them

        metrics.register()
