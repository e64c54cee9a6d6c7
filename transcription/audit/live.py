"""The WebSocket of the admin's live page: active sessions, queue and workers, once a second.

Staff with `watch_session` only; what is being said goes to those with `view_transcript`. Opening it is noted in the
admin's log. Sessions are asked for a report over their channel-layer group (`core/contract/messages.py`), so nothing
is sent while nobody watches.
"""

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import get_supported_language_variant, override
from django.utils.translation import gettext as _

from transcription.cluster.capacity import Cluster, probe_client, read_cluster
from transcription.cluster.worker_stats import between
from transcription.core.capacity.load import estimated_max_concurrent, load_percent
from transcription.core.contract.heartbeat import Heartbeat, Tally
from transcription.core.contract.keyspace import SESSIONS_GROUP
from transcription.core.contract.messages import OBSERVE_TYPE, ObserveMessage, ReportMessage
from transcription.models import Session

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
SILENT_S = 3.0
"""A session that has not reported for so long is gone."""
RECHECK_S = 10.0
"""How soon a permission taken away, or a closed account, ends the watching."""
LOAD_OVER_S = 5.0
"""A worker's load is a mean over so long."""
NOT_LOGGED_IN, NOT_PERMITTED = 4401, 4403


class LiveConsumer(AsyncWebsocketConsumer):
    """The WebSocket of one open live page: asks the sessions every `INTERVAL_S`, sends the page what has come in."""

    async def connect(self) -> None:
        """Accept staff from our own pages; anyone else learns why by the close code."""
        self._feeding: asyncio.Task[None] | None = None
        if not same_origin(self.scope):
            await self.close()  # refuses the handshake: another site's page, with this user's cookie
            return
        await self.accept()
        user = self.scope["user"]
        if not (user.is_authenticated and await self._allowed()):
            await self.close(NOT_PERMITTED if user.is_authenticated else NOT_LOGGED_IN)
            return
        await database_sync_to_async(_log_opening)(user.pk, transcripts=self._transcripts)
        self._reports: dict[str, tuple[float, dict[str, Any]]] = {}
        self._tallies: dict[str, list[tuple[float, Tally]]] = {}
        self._language = page_language(self.scope)
        self._feeding = asyncio.create_task(self._feed())

    async def disconnect(self, code: int) -> None:
        """Ask no more: the page is closed."""
        if self._feeding:
            self._feeding.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The page says nothing; what comes all the same is ignored."""

    async def session_report(self, message: ReportMessage) -> None:
        """A session answers; the method's name is the message's type, as Channels has it."""
        report = message["report"]
        self._reports[report["uid"]] = time.monotonic(), report

    async def _feed(self) -> None:
        checked = time.monotonic()
        try:
            while True:
                asking = ObserveMessage(type=OBSERVE_TYPE, to=self.channel_name, text=self._transcripts)
                try:
                    await self.channel_layer.group_send(SESSIONS_GROUP, asking)
                    cluster = await asyncio.to_thread(read_cluster, probe_client())
                    with override(self._language):
                        picture = self._picture(cluster)
                except redis.RedisError as error:
                    with override(self._language):
                        told = _("Redis cannot be reached: %(error)s") % {"error": error}
                    picture = {"cluster": {}, "sessions": [], "workers": [], "error": told}
                await self.send(text_data=msgspec.json.encode(picture).decode())
                await asyncio.sleep(INTERVAL_S)
                if time.monotonic() - checked > RECHECK_S:
                    checked = time.monotonic()
                    if not await self._allowed():
                        await self.close(NOT_PERMITTED)
                        return
        except Exception:
            logger.exception("A live page failed")
            await self.close()

    async def _allowed(self) -> bool:
        allowed, self._transcripts = await database_sync_to_async(_rights)(self.scope["user"].pk)
        return allowed

    def _picture(self, picture: Cluster) -> dict[str, Any]:
        now = time.monotonic()
        self._reports = {uid: (at, report) for uid, (at, report) in self._reports.items() if now - at < SILENT_S}
        load, limits = picture.load, settings.STT.limits
        capacity = estimated_max_concurrent(load, limits)
        return {
            "cluster": {
                _("sessions"): _of(load.sessions, limits.max_sessions),
                _("queue depth"): _of(load.depth, limits.max_queue_depth),
                _("load"): f"{load_percent(load, capacity):.0f} %",
                _("expected final"): f"{load.estimated_server_total_ms:.0f} ms",
                _("workers"): load.workers,
                _("refused since the start"): _of(picture.rejected_requests, picture.total_requests),
            },
            "sessions": sorted((report for _, report in self._reports.values()), key=lambda r: -r["audio_ms"]),
            "workers": [self._worker(beat, now) for beat in picture.workers],
        }

    def _worker(self, beat: Heartbeat, now: float) -> dict[str, Any]:
        past = [(at, tally) for at, tally in self._tallies.get(beat.worker_id, []) if now - at <= LOAD_OVER_S]
        self._tallies[beat.worker_id] = [*past, (now, beat.tally)]
        began, first = past[0] if past else (now - INTERVAL_S, beat.tally)
        return {
            "worker_id": beat.worker_id,
            "model": beat.model,
            "device": beat.device,
            "compute_type": beat.compute_type,
            "running": beat.tally.running,
            "avg_partial_ms": round(beat.avg_partial_ms, 1),
            "avg_final_ms": round(beat.avg_final_ms, 1),
            **between(first, beat.tally, now - began),
        }


def page_language(scope: dict[str, Any]) -> str:
    """The language of the page that opens the WebSocket, which says so; the installation's where it does not."""
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("language", [""])[0].lower()
    try:
        return get_supported_language_variant(asked)
    except LookupError:
        return settings.LANGUAGE_CODE


def _of(part: int, whole: int) -> str:
    return _("%(part)d of %(whole)d") % {"part": part, "whole": whole}


def same_origin(scope: dict[str, Any]) -> bool:
    """Whether the page that opens the WebSocket is one of ours (RFC 6455, 10.2), or no browser is involved."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origin = headers.get(b"origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        return urlsplit(origin).netloc == headers.get(b"host")
    except ValueError:
        return False


def _rights(user_pk: int) -> tuple[bool, bool]:
    """Whether a user may watch, and may see what is said, as the database has it now."""
    user = get_user_model().objects.filter(pk=user_pk, is_active=True, is_staff=True).first()
    if user is None:
        return False, False
    return user.has_perm("transcription.watch_session"), user.has_perm("transcription.view_transcript")


def _log_opening(user_pk: int, *, transcripts: bool) -> None:
    with override(settings.LANGUAGE_CODE):
        LogEntry.objects.create(
            user_id=user_pk,
            content_type=ContentType.objects.get_for_model(Session),
            object_repr=_("Live page"),
            action_flag=CHANGE,
            change_message=_("Opened, with transcripts.") if transcripts else _("Opened, without transcripts."),
        )
