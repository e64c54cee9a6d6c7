"""Composition root: it wires the parts together and decides nothing."""

from sttproject.celery import app as celery_app

__all__ = ["celery_app"]
