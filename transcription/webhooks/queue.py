"""The undelivered events as a queue in the database: handed out to one at a time, put back, given up, sent again.

Who takes an event puts its `due` off by `LEASE_S`, so that nobody else takes it meanwhile, and that it is due again
should its taker die.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from transcription.core.webhooks import retry_after_s
from transcription.models import Delivery, Webhook

AT_ONCE = 4
"""Requests to one endpoint that one process has open: a slow endpoint has its own queue and delays no other."""
LEASE_S = 60.0
KEPT_GIVEN_UP = timedelta(days=30)
"""How long events that were given up stay, for somebody to send them again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An event that is to be sent now."""

    delivery: int
    webhook: int
    name: str
    """The webhook's, for logs."""
    url: str
    secret: str
    event_id: str
    body: str
    attempts: int
    """This one included."""
    until: datetime


def take(in_hand: Mapping[int, int], now: datetime) -> list[Attempt]:
    """The events that are due, the oldest first, and no more than `AT_ONCE` with those `in_hand`, by webhook."""
    due = Q(given_up=None, due__lte=now)
    waiting = Webhook.objects.filter(Exists(Delivery.objects.filter(due, webhook=OuterRef("pk"))), active=True)
    rooms = {webhook: AT_ONCE - in_hand.get(webhook.pk, 0) for webhook in waiting}
    if not rooms:
        return []
    with transaction.atomic():
        return [
            _attempt(webhook, row)
            for webhook, room in rooms.items()
            for row in webhook.deliveries.filter(due).order_by("due")[: max(room, 0)]
            if _lease(row, now)
        ]


def _lease(row: Delivery, now: datetime) -> bool:
    """Take an event, if nobody was faster; whether it is taken."""
    lease = {"due": now + timedelta(seconds=LEASE_S), "attempts": F("attempts") + 1}
    return bool(Delivery.objects.filter(pk=row.pk, due=row.due, given_up=None).update(**lease))


def _attempt(webhook: Webhook, row: Delivery) -> Attempt:
    return Attempt(
        delivery=row.pk,
        webhook=webhook.pk,
        name=webhook.name,
        url=webhook.url,
        secret=webhook.secret,
        event_id=row.event_id,
        body=row.body,
        attempts=row.attempts + 1,
        until=row.until,
    )


def delivered(attempt: Attempt, now: datetime) -> None:
    """The endpoint has taken it: nothing of it is kept."""
    Delivery.objects.filter(pk=attempt.delivery).delete()
    Webhook.objects.filter(pk=attempt.webhook).update(delivered=F("delivered") + 1, last_delivered=now)


def failed(attempt: Attempt, why: str, now: datetime) -> bool:
    """It was not taken: it is due again later, or is given up where that would be too late; whether it is.

    An event that was erased meanwhile stays away.
    """
    again = now + timedelta(seconds=retry_after_s(attempt.attempts, random.random()))  # noqa: S311 - no secret
    over = again > attempt.until
    what = {"given_up": now} if over else {"due": again}
    Delivery.objects.filter(pk=attempt.delivery).update(failure=why[:200], **what)
    Webhook.objects.filter(pk=attempt.webhook).update(failed=F("failed") + 1, given_up=F("given_up") + int(over))
    return over


def send_again(chosen: QuerySet[Delivery], now: datetime) -> int:
    """Have events sent at once, with a whole window to try in, under the ids that they have; how many."""
    until = now + timedelta(seconds=settings.STT.webhook_window_s)
    return chosen.update(given_up=None, due=now, until=until, attempts=0)


def forget(now: datetime) -> None:
    """Delete what was given up long ago."""
    Delivery.objects.filter(given_up__lt=now - KEPT_GIVEN_UP).delete()
