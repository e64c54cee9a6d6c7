"""The Django app that brings `manage.py stt`."""

from django.apps import AppConfig


class LauncherConfig(AppConfig):
    """An app without models, so that Django finds the command in `launcher/management/`."""

    name = "launcher"
