"""The WebSocket's shell: feeds a session with what comes, and does what the session asks for, in order.

Besides it decides what a session cannot know: that no final is lost while the outbox cannot hand jobs over, and whose
refusal of a session comes first (this process stops, the key's minutes are spent, admission).
"""

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

from transcription import metrics
from transcription.audit import records
from transcription.audit.refusals import REFUSALS
from transcription.cluster.outbox import Outgoing, Sender
from transcription.cluster.recovery import JobStates
from transcription.core import protocol
from transcription.core.capacity.admission import Admission, Admitted, queue_away, shutting_down
from transcription.core.contract import jobs, keyspace
from transcription.core.contract.jobs import Result
from transcription.core.contract.messages import (
    CANCEL_TYPE,
    MAX_SHOWN,
    OBSERVE_TYPE,
    REPORT_TYPE,
    RESULT_TYPE,
    SUPERSEDED_TYPE,
    CancelMessage,
    ObserveMessage,
    Report,
    ReportMessage,
    ResultMessage,
    SupersededMessage,
)
from transcription.core.session.effects import (
    Admit,
    CancelPartials,
    CheckJobs,
    Close,
    CountSpeculation,
    DiscardAudio,
    Effect,
    RecordClosed,
    RecordFailedSegment,
    RecordOpened,
    RecordSegment,
    Resend,
    SaveCheckpoint,
    Send,
    StoreAudio,
    StoreBefore,
    Submit,
)
from transcription.core.session.life import State
from transcription.core.session.segmenter import heard
from transcription.core.session.session import Session
from transcription.ingress import draining, runtime
from transcription.ingress.counting import Counting
from transcription.ingress.mailbox import AWAY, Mailbox
from transcription.ingress.runtime import Runtime
from transcription.ingress.tracing import Traces
from transcription.keys.access import Key

logger = logging.getLogger(__name__)

TICK_S = 0.5
"""How late the end of a session by the clock may be, and a key's withdrawal, over `keyring.WATCH_S`."""
HANDLERS = {
    "websocket.connect": "websocket_connect",
    "websocket.receive": "websocket_receive",
    "websocket.disconnect": "websocket_disconnect",
    RESULT_TYPE: "result",
    CANCEL_TYPE: "cancel",
    SUPERSEDED_TYPE: "supersede",
    OBSERVE_TYPE: "observe",
    "session.tick": "tick",
    "session.job_states": "job_states",
    draining.STOP: "stop",
}


class TranscriptionConsumer(AsyncWebsocketConsumer):
    """One connection, one session. Messages are handled one at a time, whichever source they come from."""

    def __init__(
        self,
        find_runtime: Callable[[], Runtime] = runtime.current,
        clock: Callable[[], float] = time.monotonic,
        tick_s: float = TICK_S,
    ) -> None:
        """`find_runtime` is called in the event loop; a session is told every `tick_s` what the `clock` says (s)."""
        super().__init__()
        self._find_runtime, self._clock, self._tick_s = find_runtime, clock, tick_s
        self._has_room, self._hurried = asyncio.Event(), False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As Channels does, with two more sources of messages, time and recovery, and without two tasks a message."""
        self.scope, self.base_send = scope, send
        self.principal: Key | None = scope.get("principal")
        self._dialect: str = scope.get("dialect", records.NATIVE)
        self.runtime = self._find_runtime()
        self.session = Session(uuid.uuid4().hex, self.runtime.defaults, self.runtime.tools, self._clock())
        self._mailbox = Mailbox(get_channel_layer())
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._gone = False
        self._talkers = 0
        self._sender = Sender(
            self.session.uid,
            self.principal.key_id if self.principal else "",
            self.session.audio_of,
            self._audio_stored,
        )
        self._began_ms = self._metered_ms = 0.0
        self._traces = Traces(self.session.uid, self.principal.name if self.principal else None)
        self._counting = Counting(self._traces, recorded=self.runtime.defaults.recorded)
        self._shown = ""
        try:
            await self._mailbox.open()
            await self._serve(partial(self._hear_client, receive), self._mailbox.receive, self._tick)
        except asyncio.CancelledError:
            # the server stops, or the client has been gone for too long
            await self._run(self.session.fail())
            raise
        finally:
            await self._leave()

    async def _serve(self, *sources: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        async with asyncio.TaskGroup() as group:
            running = [self._mailbox.fill(), *(self._pump(source) for source in sources)]
            tasks = [group.create_task(each) for each in running]
            await self._over.wait()
            for task in tasks:
                task.cancel()

    async def _hear_client(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The client's next message, once there is room for it: what is not read here is not read from the socket.

        Where messages wait already, `receive` lets others have their turn before each: the event loop is theirs, too.
        """
        while self.session.saturated and not self._hurried:
            self._has_room.clear()
            await self._has_room.wait()
        return await receive()

    def hurry(self) -> None:
        """Read the client's next message although it is owed much: it is its last."""
        self._hurried = True
        self._has_room.set()

    def _audio_stored(self, segment_id: str, samples: int) -> None:
        self.session.audio_stored(segment_id, samples)
        self._has_room.set()

    async def _tick(self) -> dict[str, Any]:
        await asyncio.sleep(self._tick_s)
        return {"type": "session.tick"}

    async def _pump(self, source: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        while True:
            message = await source()
            async with self._turn:
                await self.dispatch(message)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message to its method, without Channels' database housekeeping: no handler touches the database."""
        try:
            await getattr(self, HANDLERS[message["type"]])(message)
        except Exception:
            logger.exception("A session failed", extra={"action": "session_failed"} | self._traces.log_context())
            await self._run(self.session.fail())
        self._has_room.set()
        if self._gone and self.session.state is State.ENDED:
            self._over.set()

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """A frame came in: text is a message, bytes are audio."""
        now, audio = self._clock(), message.get("bytes")
        if audio is None:
            await self._run(self.session.receive_text(message.get("text") or "", now))
        else:
            # the step may have changed since the last tick, and a full queue takes no partials
            shed = self.session.shed(self.runtime.capacity.load.step)
            hearing = self.session.hear_audio(audio, now)
            # recordings come in long frames, as fast as they are heard: their windows wait for nobody's
            recorded = self.session.config.recorded
            await self._run(shed + (heard(hearing) if recorded else await self.runtime.listening.heard(hearing)))

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The client is gone; the consumer stays until what it said is transcribed."""
        self._gone = True
        await self._run(self.session.disconnect(self._clock()))

    async def result(self, message: ResultMessage) -> None:
        """A worker's answer came through the channel layer."""
        await self._hear_result(jobs.decode_result(message["payload"]))

    async def _hear_result(self, result: Result) -> None:
        now = self._clock()
        self._counting.answered(result, now)
        await self._run(self.session.receive_result(result, now))

    async def tick(self, message: dict[str, Any]) -> None:
        """Time passed: meter the key's audio, see whether it is still good, shed, let the session look at the clock."""
        now = self._clock()
        if self.principal:
            self._meter(self.principal)
            if refusal := self.runtime.keyring.verdict(self.principal):
                await self._run(self.session.revoke(refusal.code, refusal.message, now))
        load = self.runtime.capacity.load
        # while the outbox cannot hand jobs over none is lost: sending them again would not help
        queue_wait_s = math.inf if self.runtime.outbox.stuck else load.estimate_ms() / 1000
        await self._run(self.session.shed(load.step))
        await self._run(self.session.tick(now, queue_wait_s))

    async def job_states(self, message: dict[str, Any]) -> None:
        """Recovery has found out what became of finals that were asked after."""
        states, now = message["job_states"], self._clock()
        for result in states.results:
            await self._hear_result(result)
        await self._run(self.session.receive_loss(states.lost, now, worker_died=False))
        await self._run(self.session.receive_loss(states.died, now, worker_died=True))

    def _hear_states(self, states: JobStates) -> None:
        self._mailbox.put({"type": "session.job_states", "job_states": states})

    async def cancel(self, message: CancelMessage) -> None:
        """An operator ends the session."""
        await self._run(self.session.cancel())

    async def supersede(self, message: SupersededMessage) -> None:
        """Another connection goes on with the session."""
        await self._run(self.session.supersede())

    async def observe(self, message: ObserveMessage) -> None:
        """Somebody watches: say how the session is, with what it last said only if that is asked for."""
        report = Report(
            uid=self.session.uid,
            session_id=self.session.session_id or "",
            client=self._client(),
            language=self.session.language,
            talking=self.session.talking,
            audio_ms=self.session.audio_ms,
            segments=self.session.segments,
            text=self._shown[-MAX_SHOWN:] if message["text"] else None,
        )
        answer = ReportMessage(type=REPORT_TYPE, report=msgspec.to_builtins(report))
        await self._mailbox.answer(message["to"], answer)

    async def stop(self, message: dict[str, Any]) -> None:
        """The server stops: the session is told and ends."""
        await self._run(self.session.stop())

    async def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message=message, again=again):
                    await self._send(message, again=again)
                case (
                    Submit()
                    | Resend()
                    | StoreAudio()
                    | StoreBefore()
                    | CancelPartials()
                    | DiscardAudio()
                    | SaveCheckpoint()
                ):
                    self._put(effect)
                case CheckJobs(job_ids=job_ids):
                    if not self.runtime.outbox.stuck:  # else they may not have been sent yet
                        self.runtime.recovery.ask(job_ids, self._hear_states)
                case CountSpeculation(outcome=outcome):
                    metrics.speculations_total.labels(outcome).inc()
                case Admit(session_id=session_id, resume_window_s=window_s):
                    await self._admit(session_id, window_s)
                case RecordOpened() | RecordSegment() | RecordFailedSegment() | RecordClosed():
                    await self._record(effect)
                case Close(code=code):
                    await self.close(code=int(code))
        if (talkers := self.session.talkers) != self._talkers:
            metrics.talkers_active.inc(talkers - self._talkers)
            self._talkers = talkers

    def _put(self, effect: Outgoing) -> None:
        """Hand over what is for Redis."""
        match effect:
            case Submit(job=job):
                self._counting.submitted(job, self.runtime.capacity.load, self._clock())
            case Resend(job=job):
                self._counting.resent(job)
        self.runtime.outbox.put(self._traces.mark(effect), self._sender)

    async def _send(self, message: protocol.ServerMessage, *, again: bool) -> None:
        if not again:
            self._counting.told(message)
        match message:
            case protocol.FinalTranscript(audio_duration_ms=0):
                pass  # the answer to a flush in silence
            case protocol.PartialTranscript() | protocol.FinalTranscript():
                self._shown = message.text
        if not self._gone:
            # a client that has just gone: its `websocket.disconnect` waits behind the frames it has sent
            with contextlib.suppress(Disconnected):
                await self.send(text_data=protocol.encode(message))

    async def _admit(self, session_id: str, window_s: float) -> None:
        admission: Admission | None = await self.runtime.keyring.refusal(self.principal) if self.principal else None
        if draining.began.is_set():
            admission = shutting_down()
        elif admission is None:
            config = self.session.config
            admission = await self.runtime.capacity.admit(
                session_id,
                self.session.uid,
                self.principal,
                window_s,
                recorded=config.recorded,
                places=config.channels,
            )
        if isinstance(admission, Admitted):
            admission = await self._enter(admission)
        if isinstance(admission, Admitted):
            metrics.admissions_total.labels("resumed" if admission.checkpoint else "admitted").inc()
        else:
            metrics.admissions_total.labels(admission.code).inc()
            key, language = self.principal.name if self.principal else "", self.session.config.language
            REFUSALS.count(self.runtime.recorder.submit, key, language, self._dialect, admission.code)
        effects = self.session.receive_admission(admission, self._clock())
        self._began_ms = self._metered_ms = self.session.audio_ms
        await self._run(effects)
        await self._run(self.session.shed(self.runtime.capacity.load.step))

    async def _enter(self, admitted: Admitted) -> Admission:
        """Be there for whoever has something for the session; where that cannot be, give its place back."""
        metrics.sessions_active.inc()
        draining.sessions.add(self.session.uid)
        try:
            if admitted.taken_from:
                message = SupersededMessage(type=SUPERSEDED_TYPE)
                await self._mailbox.tell(keyspace.group_name(admitted.taken_from), message)
            await self._mailbox.join(keyspace.group_name(self.session.uid), keyspace.SESSIONS_GROUP)
        except AWAY as error:
            logger.warning("A session cannot be reached by its workers: %s", error)
            await self._leave(resumable=True)
            return queue_away()
        return admitted

    async def _record(self, effect: RecordOpened | RecordSegment | RecordFailedSegment | RecordClosed) -> None:
        uid, submit = self.session.uid, self.runtime.recorder.submit
        match effect:
            case RecordOpened(session_id=session_id):
                submit(records.opened(uid, self._client(), self.principal, effect, self._dialect))
                self._traces.admitted(session_id)
                logger.info("session opened", extra={"action": "session_opened"} | self._traces.log_context())
            case RecordSegment() | RecordFailedSegment():
                submit(records.segment(uid, effect))
                self._traces.end(effect)
            case RecordClosed(reason=reason, resumable=resumable):
                submit(records.closed(uid, effect))
                if self.principal:
                    self._meter(self.principal)
                metrics.sessions_total.labels(reason).inc()
                heard_ms = (effect.total_audio_ms - self._began_ms) * self.session.config.channels
                metrics.audio_seconds_total.inc(heard_ms / 1000)
                logger.info(
                    "session closed: %s", reason, extra={"action": "session_closed"} | self._traces.log_context()
                )
                self._traces.close()
                await self._leave(resumable=resumable)

    def _meter(self, principal: Key) -> None:
        """Put the audio accepted since the last time, of each channel, on the key's account."""
        audio_ms = self.session.audio_ms
        self.runtime.keyring.count(principal, (audio_ms - self._metered_ms) * self.session.config.channels)
        self._metered_ms = audio_ms

    async def _leave(self, *, resumable: bool = False) -> None:
        """Give back the session's place; before `session_ended`, so that the client may use the name again."""
        if self.session.uid not in draining.sessions:
            return
        draining.sessions.discard(self.session.uid)
        metrics.sessions_active.dec()
        await self.runtime.capacity.release(self.session.uid, resumable=resumable)
        await self._mailbox.leave()

    def _client(self) -> str:
        return (self.scope.get("client") or [""])[0]
