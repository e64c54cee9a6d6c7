"""What a session hears and what comes of it: samples in; utterances, partials and finals out. No I/O.

The segmenter finds the segments; the open one asks for partials and its final; finals are awaited, and released in
order of speech. Every closed segment comes out as exactly one `final_transcript` or an `error`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET

from transcription.core import protocol
from transcription.core.audio import ms_from_samples, pcm_samples, samples_from_ms
from transcription.core.config import SAMPLE_RATE, SessionConfig, VadConfig
from transcription.core.contract.jobs import Failure, Kind, Result, Transcript
from transcription.core.contract.keyspace import resume_ttl_s
from transcription.core.g711 import to_pcm
from transcription.core.protocol import Error, ErrorCode, FinalTranscript
from transcription.core.resuming import FRESH, Checkpoint, segment_name
from transcription.core.session import replies, turns
from transcription.core.session.before import SegmentBefore
from transcription.core.session.effects import (
    CheckJobs,
    DiscardAudio,
    Effect,
    RecordFailedSegment,
    RecordSegment,
    Resend,
    SaveCheckpoint,
    Send,
)
from transcription.core.session.effort import effort
from transcription.core.session.endpointing import Closed, Endpointer, Opened, Paused, Resumed, SilenceEndpointer
from transcription.core.session.formats import format_of
from transcription.core.session.framing import Framing
from transcription.core.session.language import SpokenLanguage
from transcription.core.session.missing import MissingAudio
from transcription.core.session.pending_finals import PendingFinal, PendingFinals
from transcription.core.session.replies import Identity
from transcription.core.session.segmenter import Audio, Hearing, Segmenter, SegmentEvent, Vad
from transcription.core.session.trace import EventLog, trace
from transcription.core.session.unstored import UnstoredAudio
from transcription.core.session.utterance import Utterance
from transcription.core.text.redaction import Redaction

PARTIAL_LOST_AFTER_S = 3.0
"""An outstanding partial is taken for lost after so long, ten intervals by default, and the next may go out."""
WITHOUT_VAD = VadConfig(enabled=False, min_speech_ms=0, pre_roll_ms=0)
"""Options of a session without VAD: every window counts as speech, from the first one on."""


class Resampler(Protocol):
    """PCM of one rate into 16 kHz PCM, as a stream."""

    def __call__(self, pcm: bytes) -> bytes: ...

    def drain(self) -> bytes:
        """What it has kept of the samples so far; those that follow begin anew."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session is given to work with."""

    vad: Callable[[int], Vad]
    """Makes a VAD for audio that came at a sample rate (Hz)."""
    resampler: Callable[[int], Resampler]
    """Makes a resampler from a sample rate (Hz)."""
    endpointer: Callable[[VadConfig, int, int], Endpointer] = SilenceEndpointer
    """Makes an endpointer: for these options, with segments of so many samples at most, from this position on."""


class Recognition:
    """One session's audio on its way to its transcripts."""

    def __init__(
        self,
        who: Identity,
        config: SessionConfig,
        tools: Tools,
        log: EventLog,
        now: float,
        checkpoint: Checkpoint = FRESH,
    ) -> None:
        """`log` takes what an operator should know. It goes on from `checkpoint`."""
        self.unstored = UnstoredAudio(config.max_buffer_ms)
        self.segments = checkpoint.segments
        """How many segments there have been, the open one included."""
        self.step = 0
        """The step of load shedding, as last told."""
        self.language = _language(config, checkpoint.language)
        self._who = who
        self._config = config
        self._log = log
        self._opened_at = now
        self._checkpoint = checkpoint
        self._received = checkpoint.position * config.sample_rate // SAMPLE_RATE
        self._effort = effort(0, config)
        self._finals = PendingFinals(config.result_timeout_s, config.max_final_wait_s)
        self._segmenter = _segmenter(config, tools, checkpoint.position)
        self._resampler = tools.resampler(config.sample_rate) if config.sample_rate != SAMPLE_RATE else None
        self._utterance: Utterance | None = None
        self._before: SegmentBefore | None = None
        self._framing = Framing(config.encoding.sample_bytes)
        self._format = format_of(config.sample_rate, config.encoding)
        self._missing = MissingAudio(now)

    @property
    def talkers(self) -> int:
        """Whether an utterance is open: 1 or 0."""
        return int(self._utterance is not None)

    @property
    def audio_ms(self) -> float:
        """Audio accepted (ms), that before the checkpoint it goes on from included."""
        return ms_from_samples(self._received, self._config.sample_rate)

    @property
    def saturated(self) -> bool:
        """Whether no more audio should be read until some is stored, or some finals are answered."""
        return self.unstored.full or len(self._finals) >= self._config.max_pending_finals

    @property
    def answered(self) -> bool:
        """Whether no final is awaited."""
        return not len(self._finals)

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited."""
        utterance = self._utterance
        open_now = utterance is not None and utterance.segment_id == segment_id
        return bytes(utterance.pcm if utterance and open_now else self._finals.audio_of(segment_id))

    def audio_stored(self, segment_id: str, samples: int) -> None:
        """So many samples of a segment are in Redis."""
        self.unstored.stored(samples)

    def checkpoint(self) -> list[Effect]:
        """Note how far the answers go, where another connection may go on with the session."""
        if not self._config.resume_window_s:
            return []
        ttl_s = resume_ttl_s(self._config.resume_window_s)
        return [SaveCheckpoint(self._who.session_id, self._checkpoint, ttl_s)]

    # What is said

    def hear(self, frame: bytes, now: float) -> Hearing[list[Effect]]:
        """Take the stream's next bytes, as the client sends them. Half a sample at the end waits for its other half."""
        raw = self._framing.take(frame)
        pcm = to_pcm(raw, self._config.encoding)
        self._received += pcm_samples(pcm)
        self._missing.hear(pcm_samples(pcm) / self._config.sample_rate)
        told = self._tell_format(raw)
        if self._format.is_file:
            return told
        events = yield from self._segmenter.hear(self._resampler(pcm) if self._resampler else pcm)
        return told + self._follow(events, now) + self._maybe_partial(now)

    def configure(self, config: SessionConfig) -> None:
        """Go by other options: the endpoint at once, even in a pause; languages from the next utterance on."""
        before, self._config = self._config, config
        if (before.language, before.detect, before.languages) != (config.language, config.detect, config.languages):
            self.language = _language(config)
        self._segmenter.configure(config.vad)
        if self._utterance:
            self._judge(self._utterance)

    def leave_out(self, size: int, now: float) -> list[Effect]:
        """So many bytes of the stream are refused: no final spans the hole, and what follows is read in its phase."""
        self._framing.leave_out(size)
        return self.flush(now)

    def flush(self, now: float, flush_id: str | None = None) -> list[Effect]:
        """Declare an endpoint here; a flush with a name is answered even where nothing was said."""
        tail = self._segmenter.feed(self._resampler.drain()) if self._resampler else []
        effects, events = self._follow(tail, now), self._segmenter.flush()
        if events or flush_id is None:
            return effects + self._follow(events, now, flush_id)
        # Nothing is left to transcribe: an empty final says so, after those of what was said before.
        here = self._segmenter.position
        self._finals.expect(self._open(Opened(here, here), now).close_empty(now, flush_id))
        return effects + self._release(now)

    def await_audio(self, now: float) -> list[Effect]:
        """Time passed in which audio should have come. What did not was silence, and may be an endpoint."""
        judged = self._config.max_audio_gap_ms > 0 and self._config.vad.enabled and self._segmenter.active
        missing_s = self._missing.look(now, wanted=judged and not self.saturated)
        silent_s = self._segmenter.silent_for / SAMPLE_RATE + missing_s
        enough_s = self._config.max_audio_gap_ms / 1000 + max(self._segmenter.waits_longer, 0) / SAMPLE_RATE
        return self.flush(now) if judged and missing_s > 0 and silent_s >= enough_s else []

    def abandon(self) -> tuple[str, ...]:
        """Forget the open utterance; returns the segments that will not be answered now."""
        open_segment = (self._utterance.segment_id,) if self._utterance else ()
        self._utterance = None
        return (*self._finals.segment_ids, *open_segment)

    # What the service answers

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker has answered a job; an answer that nobody waits for is ignored."""
        utterance = self._utterance
        if utterance and utterance.segment_id == result.segment_id:
            if result.kind is Kind.PARTIAL:
                return self._receive_partial(utterance, result, now)
            if (took_s := utterance.hear_speculation(result, now)) is not None:
                self._judge(utterance)
                ahead = utterance.answer_ahead
                return self._show(utterance, result, took_s, ahead.text if ahead else "")
            if (counted := utterance.hear_overtaken(result)) is not None:
                return counted
        return [*self._resend(self._finals.receive(result, now)), *self._release(now)]

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """Nobody has these finals any more, or the worker that had them is dead."""
        return [*self._resend(self._finals.lost(job_ids, now, worker_died=worker_died)), *self._release(now)]

    def shed(self, step: int) -> list[Effect]:
        """Give way as the cluster's step says; a change is told to the client and noted."""
        if step == self.step:
            return []
        self.give_way(step)
        self._note(f"shedding step {step}")
        return [Send(replies.status(self._who.session_id, step, self._effort))]

    def give_way(self, step: int) -> None:
        """Go by the step of shedding."""
        self.step, self._effort = step, effort(step, self._config)
        if self._utterance:
            self._utterance.effort = self._effort

    def tick(self, now: float, queue_wait_s: float) -> list[Effect]:
        """Time passed: what is overdue is sent again, checked on or given up."""
        if self._before and not self._before.lasts(now):
            self._before = None
        again = self._resend(self._finals.overdue(now, queue_wait_s))
        unsure = self._finals.unsure(now)
        return [*again, *([CheckJobs(unsure)] if unsure else []), *self._release(now)]

    # Inside

    def _follow(self, events: list[SegmentEvent], now: float, flush_id: str | None = None) -> list[Effect]:
        """Let the utterances be where the segmenter finds them."""
        effects: list[Effect] = []
        for event in events:
            match event, self._utterance:
                case Opened(), _:
                    effects += self._begin(event, now)
                case Audio(pcm=pcm), Utterance() as utterance:
                    effects += utterance.append(pcm)
                case Closed(), Utterance() as utterance:
                    effects += self._close(utterance, event, now, flush_id)
                case Paused(), Utterance() as utterance:
                    effects += utterance.speculate(now, self._before) if self._effort.speculates else []
                case Resumed(), Utterance() as utterance:
                    effects += utterance.resume()
                case _:
                    raise AssertionError(event)
        self.unstored.add(effects)
        return effects

    def _begin(self, opened: Opened, now: float) -> list[Effect]:
        self._utterance = self._open(opened, now)
        return [] if opened.continues else self._vad_event(self._utterance, "speech_start", opened.speech_at)

    def _close(self, utterance: Utterance, closed: Closed, now: float, flush_id: str | None) -> list[Effect]:
        self._utterance = None
        told = [] if closed.continues else self._vad_event(utterance, "speech_end", closed.speech_end)
        final, effects = utterance.close(closed, now, flush_id, self._before)
        self._before = None
        self._finals.expect(final)
        return [*told, *effects, *self._release(now)]

    def _maybe_partial(self, now: float) -> list[Effect]:
        utterance = self._utterance
        if utterance is None or not self._effort.partials:
            return []
        if utterance.partial_awaited and now - utterance.partial_sent_at > PARTIAL_LOST_AFTER_S:
            utterance.forget_partial()
        effects = utterance.partial(now)
        self.unstored.add(effects)
        return effects

    def _receive_partial(self, utterance: Utterance, result: Result, now: float) -> list[Effect]:
        sent_at = utterance.partial_sent_at
        text = utterance.hear_partial(result)
        shown = self._show(utterance, result, now - sent_at, text) if text else []
        return shown + self._maybe_partial(now)

    def _judge(self, utterance: Utterance) -> None:
        """Let the pause last as long as what was said wants.

        An answer that comes later than the fixed silence finds the utterance closed: then that was its end.
        """
        config, answer = self._config, utterance.answer_ahead
        if answer and turns.are_judged(config.vad, utterance.language.code):
            verdict = turns.judge(answer.text, answer.turn_probability)
            self._segmenter.wait(samples_from_ms(turns.silence_ms(verdict, config.vad)))

    def _show(self, utterance: Utterance, result: Result, took_s: float, text: str) -> list[Effect]:
        """Send the text that a partial or a speculation gives."""
        if not isinstance(result, Transcript) or not text or not self._config.partial_results:
            return []
        redaction = self._redaction
        if not self.answered and redaction.depends_on_what_was_said(text):
            return []  # it is not known yet
        shown = replies.partial(self._who, utterance, result, text, took_s, redaction)
        if not shown.text:
            return []
        utterance.note_shown(shown.audio_end_ms, shown.timing.server_total_ms, len(shown.text))
        return [Send(shown)]

    def _release(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        checkpoint = self._checkpoint
        for final, answer in self._finals.release():
            message, record = self._answer(final, answer, now)
            # another one may have ended since: then that is the one before
            self._before = SegmentBefore.of(final, answer, now) if self.answered else None
            self._checkpoint = self._checkpoint.plus(message, final.end)
            effects += [Send(message), record, DiscardAudio((answer.segment_id,))]
        if self._checkpoint is not checkpoint:
            effects += self.checkpoint()
        return effects

    def _resend(self, finals: list[PendingFinal]) -> list[Effect]:
        for final in finals:
            self._note(f"{final.job.segment_id} sent again")
        return [Resend(final.job, bytes(final.pcm)) for final in finals]

    def _answer(
        self, final: PendingFinal, answer: Transcript | Failure, now: float
    ) -> tuple[FinalTranscript | Error, RecordSegment | RecordFailedSegment]:
        how = trace(final, answer, self._opened_at, now)
        if isinstance(answer, Transcript):
            if answer.text:
                self.language.hear(answer.evidence)
            formats = self._config.formats(answer.language or final.job.language)
            redaction = self._redaction
            message = replies.final(self._who, final, answer, redaction, formats=formats)
            dropped, _ = redaction.final(answer.dropped_text, ())
            return message, RecordSegment(message, how, dropped)
        start_ms, duration_ms = ms_from_samples(final.start), ms_from_samples(final.samples)
        error = replies.failure(self._who, final, answer)
        self._log.error(self.audio_ms, error.code, error.message, error.segment_id)
        channel = None if self._who.channel is UNSET else self._who.channel
        return error, RecordFailedSegment(answer.segment_id, start_ms, duration_ms, answer.reason, how, channel)

    @property
    def _redaction(self) -> Redaction:
        return Redaction(self._config.redact, self._checkpoint.said)

    def _open(self, opened: Opened, now: float) -> Utterance:
        self.segments += 1
        name = segment_name(self.segments, self._who.channel)
        return Utterance(self._config, self.language, self._effort, self._who.uid, name, opened, now)

    def _tell_format(self, raw: bytes) -> list[Effect]:
        """Say, once, that the audio looks like something else."""
        looks_like = self._format.look(raw)
        if looks_like is None:
            return []
        expected = f"expected {self._config.encoding.described} at {self._config.sample_rate} Hz, without a header"
        what = "The audio" if self._who.channel is UNSET else f"Channel {self._who.channel}"
        message = f"{what} looks like {looks_like}: {expected}{'; it is not heard' * self._format.is_file}"
        self._log.error(self.audio_ms, ErrorCode.INVALID_MESSAGE, message)
        who = self._who
        error = Error(code=ErrorCode.INVALID_MESSAGE, message=message, session_id=who.session_id, channel=who.channel)
        return [Send(error)]

    def _vad_event(self, utterance: Utterance, state: protocol.SpeechState, position: int) -> list[Effect]:
        if not self._config.vad.enabled:
            return []
        return [Send(replies.vad_event(self._who, utterance, state, position))]

    def _note(self, what: str) -> None:
        self._log.note(self.audio_ms, what)


def _language(config: SessionConfig, found: str = "") -> SpokenLanguage:
    """What is spoken, `found` out before or not."""
    if not config.detect:
        return SpokenLanguage(config.language)
    known = found in config.languages
    return SpokenLanguage(found if known else config.language, config.languages, decided=known)


def _segmenter(config: SessionConfig, tools: Tools, start: int) -> Segmenter:
    maximum = samples_from_ms(config.max_utterance_s * 1000)
    if not config.vad.enabled:
        return Segmenter(tools.endpointer(WITHOUT_VAD, maximum, start), None, start)
    return Segmenter(tools.endpointer(config.vad, maximum, start), tools.vad(config.sample_rate), start)
