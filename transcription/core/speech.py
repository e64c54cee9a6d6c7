"""What a session hears and what comes of it: samples in; utterances, partials and finals out. No I/O.

The listener finds the utterances; the open one asks for partials and its final; the ledger waits for the finals and
releases them in order of speech. Every closed segment comes out as exactly one `final_transcript` or an `error`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from transcription.core import protocol, replies
from transcription.core.audio import ms_from_samples
from transcription.core.backlog import Backlog
from transcription.core.config import SAMPLE_RATE, SessionConfig
from transcription.core.effects import (
    CountSpeculation,
    DiscardAudio,
    Effect,
    Inquire,
    Keep,
    RecordFailedSegment,
    RecordSegment,
    Resend,
    Send,
)
from transcription.core.endpointing import Paused, Resumed
from transcription.core.jobs import Failure, Kind, Result, Transcript
from transcription.core.ledger import Entry, Ledger
from transcription.core.listener import Audio, Closed, Heard, Listener, Opened, Vad, pcm_samples
from transcription.core.protocol import Error, ErrorCode, FinalTranscript
from transcription.core.resuming import Settled, segment_name
from transcription.core.shedding import effort
from transcription.core.trace import Journal, trace
from transcription.core.utterance import Utterance

PARTIAL_LOST_AFTER_S = 3.0
"""An outstanding partial is taken for lost after so long, and the next may go out."""
FRESH = Settled()
"""Of a session that begins."""


class Resampler(Protocol):
    """PCM of one rate into 16 kHz PCM, as a stream."""

    def __call__(self, pcm: bytes, *, last: bool = False) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session is given to work with."""

    vad: Callable[[], Vad]
    resampler: Callable[[int], Resampler]
    """From a sample rate."""


class Speech:
    """One session's audio on its way to its transcripts."""

    def __init__(
        self,
        uid: str,
        session_id: str,
        config: SessionConfig,
        tools: Tools,
        journal: Journal,
        now: float,
        *,
        settled: Settled = FRESH,
        resumable: bool = False,
    ) -> None:
        """`uid` and `session_id` as in `Session`; `journal` takes what an operator should know.

        It goes on after what is `settled`; if `resumable`, it tells how far that goes.
        """
        self.backlog = Backlog(config.max_buffer_ms)
        self.segments = settled.segments
        """How many segments there have been, the open one included."""
        self._uid = uid
        self._session_id = session_id
        self._config = config
        self._journal = journal
        self._opened_at = now
        self._settled = settled
        self._resumable = resumable
        self._received = settled.position * config.sample_rate // SAMPLE_RATE
        self._step = 0
        self._effort = effort(0, config)
        self._ledger = Ledger(config.result_timeout_s, config.max_final_wait_s)
        self._listener = Listener(config, tools.vad() if config.vad.enabled else None, settled.position)
        self._resampler = tools.resampler(config.sample_rate) if config.sample_rate != SAMPLE_RATE else None
        self._utterance: Utterance | None = None

    @property
    def talking(self) -> bool:
        """Whether an utterance is open."""
        return self._utterance is not None

    @property
    def audio_ms(self) -> float:
        """Audio accepted, that before what it goes on after included."""
        return ms_from_samples(self._received, self._config.sample_rate)

    @property
    def answered(self) -> bool:
        """Whether no final is awaited."""
        return not len(self._ledger)

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited."""
        utterance = self._utterance
        open_now = utterance is not None and utterance.segment_id == segment_id
        return bytes(utterance.pcm if utterance and open_now else self._ledger.audio_of(segment_id))

    # What is said

    def feed(self, pcm: bytes, now: float) -> list[Effect]:
        """Take the stream's next samples, at the client's rate."""
        self._received += pcm_samples(pcm)
        effects = self._hear(self._listener.feed(self._resampler(pcm) if self._resampler else pcm), now)
        return effects + self._maybe_partial(now)

    def flush(self, now: float, flush_id: str | None = None) -> list[Effect]:
        """Declare an endpoint here; a flush with a name is answered even where nothing was said."""
        heard = self._listener.flush()
        if heard or flush_id is None:
            return self._hear(heard, now, flush_id)
        # Nothing is left to transcribe: an empty final says so, after those of what was said before.
        entry = self._open(self._listener.position, now).nothing(now)
        entry.flush_id = flush_id
        self._ledger.expect(entry)
        return self._release(now)

    def end(self, now: float) -> list[Effect]:
        """No more samples come."""
        tail = self._resampler(b"", last=True) if self._resampler else b""
        return [*self._hear(self._listener.feed(tail), now), *self.flush(now)]

    def abandon(self) -> tuple[str, ...]:
        """Forget the open utterance; returns the segments that will not be answered now."""
        open_segment = (self._utterance.segment_id,) if self._utterance else ()
        self._utterance = None
        return (*self._ledger.segment_ids, *open_segment)

    # What the service answers

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker answers a job."""
        utterance = self._utterance
        if utterance and utterance.segment_id == result.segment_id:
            if result.kind is Kind.PARTIAL:
                return self._receive_partial(utterance, result, now)
            if utterance.hear_speculation(result, now):
                return self._receive_speculation(utterance, result, now)
        return [*self._resend(self._ledger.receive(result, now)), *self._release(now)]

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """Nobody has these finals any more, or the worker that had them is dead."""
        return [*self._resend(self._ledger.lost(job_ids, now, worker_died=worker_died)), *self._release(now)]

    def shed(self, step: int) -> list[Effect]:
        """Give way as the cluster's step says."""
        if step == self._step:
            return []
        self._step, self._effort = step, effort(step, self._config)
        if self._utterance:
            self._utterance.effort = self._effort
        self._note(f"shedding step {step}")
        return [Send(replies.status(self._session_id, step, self._effort))]

    def tick(self, now: float, backlog_s: float) -> list[Effect]:
        """Time passed: what is overdue is sent again, asked after or given up."""
        again = self._resend(self._ledger.overdue(now, backlog_s))
        unsure = self._ledger.unsure(now)
        return [*again, *([Inquire(unsure)] if unsure else []), *self._release(now)]

    # Inside

    def _hear(self, heard: list[Heard], now: float, flush_id: str | None = None) -> list[Effect]:
        effects: list[Effect] = []
        for happening in heard:
            match happening:
                case Opened(start=start, speech_at=speech_at, continues=continues):
                    self._utterance = self._open(start, now)
                    if not continues:
                        effects += self._vad_event("speech_start", speech_at)
                case Audio(pcm=pcm):
                    assert self._utterance
                    effects += self._utterance.append(pcm)
                case Closed(end=end, speech_end=speech_end, continues=continues):
                    assert self._utterance
                    utterance = self._utterance
                    if not continues:
                        effects += self._vad_event("speech_end", speech_end)
                    submit, entry = utterance.final(end, now, paused=not continues)
                    if utterance.speculation:
                        effects.append(CountSpeculation(hit=entry is utterance.speculation))
                    entry.speech_end, entry.closed_at, entry.partials = speech_end, now, utterance.partials
                    entry.flush_id = flush_id
                    self._ledger.expect(entry)
                    self._utterance = None
                    effects += [*submit, *self._release(now)]
                case Paused():
                    assert self._utterance
                    if self._effort.speculates:
                        effects += self._utterance.speculate(now)
                case Resumed():
                    assert self._utterance
                    if self._utterance.speculation:
                        self._utterance.speculation = None
                        effects.append(CountSpeculation(hit=False))
        self.backlog.add(effects)
        return effects

    def _maybe_partial(self, now: float) -> list[Effect]:
        utterance = self._utterance
        if utterance is None or not self._effort.partials:
            return []
        if utterance.partial_awaited and now - utterance.partial_sent_at > PARTIAL_LOST_AFTER_S:
            utterance.forget_partial()
        effects = utterance.partial(now)
        self.backlog.add(effects)
        return effects

    def _receive_partial(self, utterance: Utterance, result: Result, now: float) -> list[Effect]:
        sent_at = utterance.partial_sent_at
        text = utterance.hear_partial(result)
        shown = self._show(utterance, result, text, now - sent_at) if text else []
        return shown + self._maybe_partial(now)

    def _receive_speculation(self, utterance: Utterance, result: Result, now: float) -> list[Effect]:
        if utterance.speculation is None or not isinstance(result, Transcript):
            return []
        return self._show(utterance, result, result.text, now - utterance.speculation.asked_at)

    def _show(self, utterance: Utterance, result: Result, text: str, total_s: float) -> list[Effect]:
        if not text or not self._config.partial_results or not isinstance(result, Transcript):
            return []
        shown = replies.partial(self._session_id, utterance, result, text, total_s)
        utterance.note_shown(shown.audio_end_ms, shown.timing.server_total_ms, len(text))
        return [Send(shown)]

    def _release(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        settled = self._settled
        for entry, answer in self._ledger.release():
            message, record = self._answer(entry, answer, now)
            self._settled = self._settled.plus(message, entry.start + entry.samples)
            effects += [Send(message), record, DiscardAudio((answer.segment_id,))]
        if self._resumable and self._settled is not settled:
            effects.append(Keep(self._settled))
        return effects

    def _resend(self, entries: list[Entry]) -> list[Effect]:
        for entry in entries:
            self._note(f"{entry.job.segment_id} sent again")
        return [Resend(entry.job, bytes(entry.pcm)) for entry in entries]

    def _answer(
        self, entry: Entry, answer: Transcript | Failure, now: float
    ) -> tuple[FinalTranscript | Error, RecordSegment | RecordFailedSegment]:
        how = trace(entry, answer, self._opened_at, now)
        if isinstance(answer, Transcript):
            final = replies.final(self._session_id, entry, answer)
            return final, RecordSegment(final, how)
        start_ms, duration_ms = ms_from_samples(entry.start), ms_from_samples(entry.samples)
        error = Error(
            code=ErrorCode.QUEUE_FULL if answer.queue_full else ErrorCode.INFERENCE_ERROR,
            message=answer.reason,
            session_id=self._session_id,
            segment_id=answer.segment_id,
            flush_id=entry.flush_id,
        )
        self._journal.error(self.audio_ms, error.code, error.message, error.segment_id)
        return error, RecordFailedSegment(answer.segment_id, start_ms, duration_ms, answer.reason, how)

    def _open(self, start: int, now: float) -> Utterance:
        self.segments += 1
        return Utterance(self._config, self._effort, self._uid, segment_name(self.segments), start, now)

    def _vad_event(self, state: protocol.SpeechState, position: int) -> list[Effect]:
        if not self._config.vad.enabled:
            return []
        assert self._utterance
        segment_id, t_ms = self._utterance.segment_id, ms_from_samples(position)
        return [Send(protocol.VadEvent(session_id=self._session_id, state=state, t_ms=t_ms, segment_id=segment_id))]

    def _note(self, what: str) -> None:
        self._journal.note(self.audio_ms, what)
