"""The project as an app of its own, for what is the installation's and nobody's else: its checks."""

from django.apps import AppConfig
from django.conf import settings


class ProjectConfig(AppConfig):
    """The checks of the configuration, and the exporter of traces."""

    name = "sttproject"

    def ready(self) -> None:
        """Register the checks, by importing them; export traces, where that is asked for."""
        from sttproject import checks, logs, telemetry  # noqa: F401 - importing checks registers them

        logs.catch_the_rest(settings.STT)
        telemetry.start(settings.STT)
