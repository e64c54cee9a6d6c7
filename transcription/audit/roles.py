"""Groups that a fresh database starts with. What is made of them later in the admin is left alone."""

from typing import Any

from django.apps import AppConfig

AUDITORS, OPERATORS = "STT auditors", "STT operators"
ROLES = {
    AUDITORS: ["view_session", "view_segment", "watch_session"],
    OPERATORS: [
        "view_session",
        "view_segment",
        "watch_session",
        "view_transcript",
        "cancel_session",
        "erase_session",
        "view_webhook",
        "view_delivery",
        "redeliver_delivery",
    ],
}
"""Auditors see when, how long and how fast, never what was said."""


def make(sender: AppConfig, using: str, **_: Any) -> None:
    """Make the groups that do not exist, after the migrations: permissions exist by then, unlike in a migration."""
    from django.contrib.auth.models import Group, Permission

    for name, codenames in ROLES.items():
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            permissions = Permission.objects.using(using).filter(content_type__app_label=sender.label)
            group.permissions.set(permissions.filter(codename__in=codenames))
