"""The Celery application: one queue with priorities, late acknowledgement, no result backend.

Why: docs/decisions.md, "Celery on Redis" and "Finals that get lost".
"""

import logging
import os
from typing import Any

from celery import Celery, signals
from kombu import Queue

from sttproject import redis_guard
from transcription.core.contract import keyspace

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
redis_guard.install()

app = Celery("whisper-stt")


@app.on_configure.connect
def _configure(sender: Celery, **_: Any) -> None:
    from django.conf import settings  # the app is imported by the settings' own package

    sender.conf.update(
        **settings.STT.redis.broker(
            sep=keyspace.PRIORITY_SEPARATOR,
            priority_steps=list(keyspace.PRIORITY_STEPS),
            queue_order_strategy="priority",
            visibility_timeout=60,
            unacked_restore_interval=1,
            unacked_restore_throttle=1,
            socket_timeout=2.0,
            socket_connect_timeout=1.0,
            socket_keepalive=True,
            health_check_interval=5,
            client_name="stt",
        ),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[Queue(keyspace.QUEUE)],
        task_default_queue=keyspace.QUEUE,
        task_default_priority=9,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        imports=["workers.tasks"],
    )


@signals.setup_logging.connect
def _keep_django_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver; what it prints is logged where lines are JSON."""
    import django
    from django.conf import settings

    django.setup()
    if settings.STT.log_format == "json":
        from celery.apps import worker

        worker.safe_say = lambda text, _=None: logger.info(text.strip())  # type: ignore[attr-defined]
