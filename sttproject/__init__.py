"""Composition root: settings, applications, routes and checks; it wires the parts together, and serves nothing."""

from sttproject.celery import app as celery_app

__all__ = ["celery_app"]
