"""Metrics of the webhooks, read from the database at each scrape: who sends has no port."""

import logging
from collections.abc import Iterator

from django.db import Error
from django.db.models import Count, Q
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from transcription.models import Webhook

logger = logging.getLogger(__name__)


class WebhookCollector(Collector):
    """What each webhook has waiting and has been sent."""

    def describe(self) -> list[Metric]:
        """Nothing: else registering would collect, before there are tables."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Nothing while the database cannot be used."""
        waiting = Count("deliveries", filter=Q(deliveries__given_up=None))
        listed = Count("deliveries", filter=Q(deliveries__given_up__isnull=False))
        try:
            webhooks = list(Webhook.objects.annotate(waiting=waiting, listed=listed))
        except Error as error:
            logger.warning("Metrics of webhooks cannot be read: %s", type(error).__name__)
            return
        pending = GaugeMetricFamily("stt_webhook_events", "Events not yet taken", labels=["webhook", "state"])
        attempts = CounterMetricFamily(
            "stt_webhook_attempts_total", "Requests, by outcome", labels=["webhook", "outcome"]
        )
        given_up = CounterMetricFamily("stt_webhook_given_up_total", "Events given up", labels=["webhook"])
        for webhook in webhooks:
            pending.add_metric([webhook.name, "waiting"], webhook.waiting)
            pending.add_metric([webhook.name, "given_up"], webhook.listed)
            attempts.add_metric([webhook.name, "delivered"], webhook.delivered)
            attempts.add_metric([webhook.name, "failed"], webhook.failed)
            given_up.add_metric([webhook.name], webhook.given_up)
        yield from (pending, attempts, given_up)


def register() -> None:
    """Add the collector to the process's registry, once."""
    REGISTRY.register(WebhookCollector())
