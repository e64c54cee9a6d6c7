"""The WebSocket's shell: decode, feed the session, do what it asks. It decides nothing."""

import asyncio
import contextlib
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from autobahn.exception import Disconnected
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

from transcription import draining, metrics, records, service
from transcription.core import jobs, protocol, resuming
from transcription.core.admission import Admission, Admitted, shutting_down
from transcription.core.cluster import LEASE_TTL_S
from transcription.core.effects import (
    Admit,
    Close,
    CountSpeculation,
    DiscardAudio,
    Effect,
    Inquire,
    Keep,
    Overtake,
    RecordClosed,
    RecordFailedSegment,
    RecordOpened,
    RecordSegment,
    Resend,
    Send,
    StoreAudio,
    Submit,
)
from transcription.core.jobs import Failure, Job, Kind, Result
from transcription.core.observing import CANCEL_TYPE, MAX_SHOWN, OBSERVE_TYPE, REPORT_TYPE, SESSIONS_GROUP, Report
from transcription.core.session import Session, State
from transcription.keys import Key
from transcription.outbox import Append, Delete, Mark, Remember, Restore
from transcription.recovery import Fates

logger = logging.getLogger(__name__)

TICK_S = 0.5
SUPERSEDED = "session.superseded"
HANDLERS = {
    "websocket.connect": "websocket_connect",
    "websocket.receive": "websocket_receive",
    "websocket.disconnect": "websocket_disconnect",
    jobs.MESSAGE_TYPE: "result",
    CANCEL_TYPE: "cancel",
    SUPERSEDED: "supersede",
    OBSERVE_TYPE: "observe",
    "session.tick": "tick",
    "session.fates": "fates",
    draining.STOP: "stop",
}


class TranscriptionConsumer(AsyncWebsocketConsumer):
    """One connection, one session. Messages are handled one at a time, whoever they come from."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As Channels does, with a third source of messages, time, and without two tasks a message."""
        self.scope, self.base_send = scope, send
        self.holder: Key | None = scope.get("holder")
        self.service = service.current()
        self.session = Session(uuid.uuid4().hex, self.service.defaults, self.service.tools, time.monotonic())
        self.channel_layer = get_channel_layer()
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._fates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = False
        self._talking = False
        self._counted = False
        self._began_ms = self._metered_ms = 0.0
        self._predicted: dict[str, tuple[float, float]] = {}
        self._shown = ""
        try:
            self.channel_name = await self.channel_layer.new_channel()
            results = partial(self.channel_layer.receive, self.channel_name)
            await self._serve(receive, results, self._fates.get, _tick)
        except asyncio.CancelledError:
            # the server stops, or the client has been gone for too long
            await self._run(self.session.fail())
            raise
        finally:
            await self._leave()

    async def _serve(self, *sources: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        async with asyncio.TaskGroup() as group:
            pumps = [group.create_task(self._pump(source)) for source in sources]
            await self._over.wait()
            for pump in pumps:
                pump.cancel()

    async def _pump(self, source: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        # no await between `dispatch` and `source`: the channel layer forgets a channel when its reader is cancelled
        # while it waits there, and only then
        while True:
            message = await source()
            async with self._turn:
                await self.dispatch(message)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message to its method, without Channels' database housekeeping: no handler touches the database."""
        try:
            await getattr(self, HANDLERS[message["type"]])(message)
        except Exception:
            logger.exception("A session failed", extra={"action": "session_failed", "uid": self.session.uid})
            await self._run(self.session.fail())
        if self._gone and self.session.state is State.ENDED:
            self._over.set()

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """A frame came in."""
        now, audio = time.monotonic(), message.get("bytes")
        if audio is None:
            await self._run(self.session.receive_text(message.get("text") or "", now))
        else:
            await self._run(self.session.receive_audio(audio, now))
        await asyncio.sleep(0)  # frames that wait already would else be taken in one go, before any other session's

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The client is gone; the consumer stays until what it said is transcribed."""
        self._gone = True
        await self._run(self.session.disconnect(time.monotonic()))

    async def result(self, message: dict[str, Any]) -> None:
        """A worker's answer came through the channel layer."""
        await self._hear_result(jobs.decode_result(message["payload"]))

    async def _hear_result(self, result: Result) -> None:
        metrics.jobs_total.labels(result.kind, "failed" if isinstance(result, Failure) else "done").inc()
        if expected := self._predicted.pop(result.job_id, None):
            predicted_s, sent_at = expected
            metrics.final_predicted_seconds.observe(predicted_s)
            metrics.final_actual_seconds.observe(time.monotonic() - sent_at)
        await self._run(self.session.receive_result(result, time.monotonic()))

    async def tick(self, message: dict[str, Any]) -> None:
        """Time passed."""
        now = time.monotonic()
        if self.holder:
            self._meter(self.holder)
            if refusal := self.service.keyring.verdict(self.holder):
                await self._run(self.session.bar(refusal.code, refusal.message, now))
        load = self.service.capacity.load
        # while the outbox cannot hand jobs over none is lost: sending them again would not help
        backlog_s = math.inf if self.service.outbox.stuck else load.estimate_ms() / 1000
        await self._run(self.session.shed(load.step))
        await self._run(self.session.tick(now, backlog_s))

    async def fates(self, message: dict[str, Any]) -> None:
        """Finals that were asked after."""
        fates, now = message["fates"], time.monotonic()
        for result in fates.results:
            await self._hear_result(result)
        await self._run(self.session.receive_loss(fates.lost, now, worker_died=False))
        await self._run(self.session.receive_loss(fates.died, now, worker_died=True))

    def _hear_fates(self, fates: Fates) -> None:
        self._fates.put_nowait({"type": "session.fates", "fates": fates})

    async def cancel(self, message: dict[str, Any]) -> None:
        """An operator ends the session."""
        await self._run(self.session.cancel())

    async def supersede(self, message: dict[str, Any]) -> None:
        """Another connection goes on with the session."""
        await self._run(self.session.supersede())

    async def observe(self, message: dict[str, Any]) -> None:
        """Somebody watches: say how the session is, with what it last said only if that is asked for."""
        report = Report(
            uid=self.session.uid,
            session_id=self.session.session_id or "",
            client=self._client(),
            language=self.session.config.language,
            talking=self.session.talking,
            audio_ms=self.session.audio_ms,
            segments=self.session.segments,
            text=self._shown[-MAX_SHOWN:] if message["text"] else None,
        )
        await self.channel_layer.send(message["to"], {"type": REPORT_TYPE, "report": msgspec.to_builtins(report)})

    async def stop(self, message: dict[str, Any]) -> None:
        """The server stops."""
        await self._run(self.session.stop())

    async def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message=message, again=again):
                    await self._send(message, again=again)
                case Submit(job=job):
                    await self._submit(job)
                case Inquire(job_ids=job_ids):
                    if not self.service.outbox.stuck:  # else they may not have been sent yet
                        self.service.recovery.ask(job_ids, self._hear_fates)
                case StoreAudio() | Resend() | Overtake() | DiscardAudio() | Keep():
                    self._put(effect)
                case CountSpeculation(hit=hit):
                    metrics.speculations_total.labels("hit" if hit else "miss").inc()
                case Admit(session_id=session_id, resume=resume):
                    await self._admit(session_id, resume=resume)
                case RecordOpened() | RecordSegment() | RecordFailedSegment() | RecordClosed():
                    await self._record(effect)
                case Close(code=code):
                    await self.close(code=int(code))
        if self.session.talking is not self._talking:
            self._talking = self.session.talking
            metrics.talkers_active.inc(1 if self._talking else -1)

    def _put(self, effect: StoreAudio | Resend | Overtake | DiscardAudio | Keep) -> None:
        """Hand over what is for Redis."""
        uid, outbox = self.session.uid, self.service.outbox
        match effect:
            case StoreAudio(segment_id=segment_id, offset=offset, pcm=pcm):
                whole = partial(self.session.audio_of, segment_id)
                outbox.put(Append(jobs.audio_key(uid, segment_id), offset, pcm, whole, self.session.audio_stored))
            case Resend(job=job, pcm=pcm):
                metrics.jobs_total.labels(job.kind, "resent").inc()
                outbox.put(Restore(job.audio_key, pcm))
                outbox.put(job)
            case Overtake(segment_id=segment_id, number=number):
                outbox.put(Mark(jobs.overtaken_key(uid, segment_id), number))
            case DiscardAudio(segment_ids=segment_ids):
                outbox.put(Delete(tuple(jobs.audio_key(uid, segment_id) for segment_id in segment_ids)))
            case Keep(settled=settled):
                assert self.session.session_id
                key_id = self.holder.key_id if self.holder else ""
                ttl_s = math.ceil(LEASE_TTL_S + self.session.config.resume_window_s)
                outbox.put(Remember(self.session.session_id, uid, key_id, resuming.encode(settled), ttl_s))

    def _count(self, message: protocol.ServerMessage) -> None:
        match message:
            case protocol.Error(code=code):
                metrics.errors_total.labels(code).inc()
            case protocol.FinalTranscript(audio_duration_ms=0):
                pass  # the answer to a flush in silence: nothing was decoded
            case protocol.PartialTranscript(timing=timing) | protocol.FinalTranscript(timing=timing):
                kind = Kind.FINAL if message.is_final else Kind.PARTIAL
                for stage in metrics.STAGES:
                    metrics.stage_seconds.labels(kind, stage).observe(getattr(timing, f"{stage}_ms") / 1000)
                self._shown = message.text

    async def _send(self, message: protocol.ServerMessage, *, again: bool) -> None:
        if not again:
            self._count(message)
        if not self._gone:
            # a client that has just gone: its `websocket.disconnect` waits behind the frames it has sent
            with contextlib.suppress(Disconnected):
                await self.send(text_data=protocol.encode(message))

    async def _submit(self, job: Job) -> None:
        load = self.service.capacity.load
        if job.kind is Kind.PARTIAL and load.depth >= self.service.limits.max_queue_depth:
            metrics.jobs_total.labels(job.kind, "shed").inc()
            self.session.note("partial shed: queue full")
            shed = Failure(
                job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="Queue full", retryable=False
            )
            await self._run(self.session.receive_result(shed, time.monotonic()))
            return
        if job.kind is Kind.FINAL and load.workers:
            self._predicted.setdefault(job.job_id, (load.estimate_ms() / 1000, time.monotonic()))
        metrics.jobs_total.labels(job.kind, "sent").inc()
        self.service.outbox.put(job)

    async def _admit(self, session_id: str, *, resume: bool) -> None:
        admission: Admission | None = await self.service.keyring.refusal(self.holder) if self.holder else None
        if draining.began.is_set():
            admission = shutting_down()
        elif admission is None:
            window_s = self.session.config.resume_window_s if resume else 0
            admission = await self.service.capacity.admit(session_id, self.session.uid, self.holder, window_s)
        if isinstance(admission, Admitted):
            metrics.admissions_total.labels("resumed" if admission.settled else "admitted").inc()
            if admission.taken_from:
                await self.channel_layer.group_send(jobs.group_name(admission.taken_from), {"type": SUPERSEDED})
            for group in self._groups():
                await self.channel_layer.group_add(group, self.channel_name)
            metrics.sessions_active.inc()
            self._counted = True
        else:
            metrics.admissions_total.labels(admission.code).inc()
        effects = self.session.receive_admission(admission, time.monotonic())
        self._began_ms = self._metered_ms = self.session.audio_ms
        await self._run(effects)
        await self._run(self.session.shed(self.service.capacity.load.step))

    async def _record(self, effect: RecordOpened | RecordSegment | RecordFailedSegment | RecordClosed) -> None:
        uid, submit = self.session.uid, self.service.recorder.submit
        match effect:
            case RecordOpened():
                submit(records.opened(uid, self._client(), self.holder, effect))
                logger.info("session opened", extra={"action": "session_opened", "uid": uid})
            case RecordSegment() | RecordFailedSegment():
                submit(records.segment(uid, effect))
            case RecordClosed(reason=reason, resumable=resumable):
                submit(records.closed(uid, effect))
                if self.holder:
                    self._meter(self.holder)
                metrics.sessions_total.labels(reason).inc()
                metrics.audio_seconds_total.inc((effect.total_audio_ms - self._began_ms) / 1000)
                logger.info("session closed: %s", reason, extra={"action": "session_closed", "uid": uid})
                await self._leave(resumable=resumable)

    def _meter(self, holder: Key) -> None:
        """Put the audio accepted since the last time on the key's account."""
        audio_ms = self.session.audio_ms
        self.service.keyring.count(holder, audio_ms - self._metered_ms)
        self._metered_ms = audio_ms

    async def _leave(self, *, resumable: bool = False) -> None:
        """Give back the session's place; before `session_ended`, so that the client may use the name again."""
        if not self._counted:
            return
        self._counted = False
        metrics.sessions_active.dec()
        await self.service.capacity.release(self.session.uid, resumable=resumable)
        for group in self._groups():
            await self.channel_layer.group_discard(group, self.channel_name)

    def _groups(self) -> tuple[str, str]:
        return jobs.group_name(self.session.uid), SESSIONS_GROUP

    def _client(self) -> str:
        return (self.scope.get("client") or [""])[0]


async def _tick() -> dict[str, Any]:
    await asyncio.sleep(TICK_S)
    return {"type": "session.tick"}
