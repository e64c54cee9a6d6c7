"""The project as an app of its own, for what is the installation's and nobody's else: its checks."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The checks of the configuration."""

    name = "sttproject"

    def ready(self) -> None:
        """Register the checks, by importing them."""
        from sttproject import checks  # noqa: F401 - importing checks registers them
