"""One open segment: its audio on the way to Redis, its partials, its final.

Audio goes to Redis once, in pieces of `STORE_MS` or more; a job is always preceded by all audio it may need.
"""

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_job

from transcription.core.audio import BYTES_PER_SAMPLE, pcm_samples, samples_from_ms
from transcription.core.config import SAMPLE_RATE, SessionConfig
from transcription.core.contract.jobs import Job, Kind, Result, Transcript, nothing
from transcription.core.contract.keyspace import audio_key, before_key, group_name, overtaken_key
from transcription.core.session import turns
from transcription.core.session.before import SegmentBefore
from transcription.core.session.effects import CancelPartials, CountSpeculation, Effect, StoreAudio, StoreBefore, Submit
from transcription.core.session.effort import Effort
from transcription.core.session.endpointing import Closed, Opened
from transcription.core.session.language import SpokenLanguage
from transcription.core.session.pending_finals import PartialShown, PendingFinal
from transcription.core.session.pieces import Piece, Pieces, joined
from transcription.core.session.stabiliser import Stabiliser

STORE_MS = 100
"""Audio goes to Redis in pieces this long: a fifth of the commands that frames of 20 ms would be."""
EVIDENCE = 0.25
"""How full a partial's window must be for its words to count: in a second of audio Whisper hears anything."""
MAX_PARTIALS = 128
"""How many of a segment's partials are kept for the records."""
SLIDE_AT = 0.5
"""How full a partial's window is when word times are asked for, to move it to a word's end.

They cost a pass more, and before that there is no need to move."""


@dataclass(frozen=True, slots=True)
class Speculation:
    """A final decoded ahead of the endpoint."""

    job: Job
    asked_at: float
    pieces: tuple[Piece, ...]
    """What comes before the job's audio."""
    worth: bool = False
    """Whether its answer is kept as a piece, once speech has gone on."""
    answer: Transcript | None = None
    answered_at: float = 0.0


class Utterance:
    """A segment between its first sample and its endpoint."""

    def __init__(
        self,
        config: SessionConfig,
        language: SpokenLanguage,
        effort: Effort,
        session_uid: str,
        segment_id: str,
        opened: Opened,
        now: float,
    ) -> None:
        self.effort = effort
        """May change while the segment is open."""
        self.segment_id = segment_id
        self.start = opened.start
        """Position of the first sample in the session."""
        self.partial_sent_at = now
        """When the last partial was asked for (or the segment opened)."""
        self.partials: list[PartialShown] = []
        """Those shown so far, the first `MAX_PARTIALS`."""
        self._speech_at = opened.speech_at
        self._opened_at = now
        self._config = config
        self.language = language
        """As far as the session knows it."""
        self._partials_in = ""
        """The language of partials, once one of them was long enough to tell."""
        self._uid = session_uid
        self.pcm = bytearray()
        """Its audio, kept until its final is in: Redis may lose it."""
        self._stored = 0
        self._before_stored = False
        self._partials = 0
        self._finals = 0
        self._speculation: Speculation | None = None
        self._overtaken: dict[str, Speculation] = {}
        """Speculations that speech went on after before they were answered, by their jobs' ids."""
        self._pieces = Pieces.of(config.vad)
        self._believed = (0, 0, "")
        """What a final said that speech went on after, and from which sample to which."""
        self._heard_until = 0
        self._awaited: Job | None = None
        self._window = samples_from_ms(config.max_partial_window_s * 1000)
        self._window_start = 0
        self._committed: list[str] = []
        self._stabiliser = Stabiliser()

    @property
    def samples(self) -> int:
        """How long the segment is so far."""
        return pcm_samples(self.pcm)

    @property
    def partial_awaited(self) -> bool:
        """Whether a partial is outstanding."""
        return self._awaited is not None

    @property
    def stable_text(self) -> str:
        """What no later partial will change, nor, but for a word in a hundred, the final."""
        return " ".join(self._stabiliser.stable)

    def append(self, pcm: bytes) -> list[Effect]:
        """Take the segment's next samples; they are stored when there are `STORE_MS` of them."""
        self.pcm += pcm
        return self._store() if self.samples - self._stored >= samples_from_ms(STORE_MS) else []

    # Partials

    def note_shown(self, audio_end_ms: float, latency_ms: float, chars: int) -> None:
        """A partial went out: keep what the records want of it."""
        if len(self.partials) < MAX_PARTIALS:
            self.partials.append((audio_end_ms, latency_ms, chars))

    def partial(self, now: float) -> list[Effect]:
        """Ask for a partial when one is due: the interval is over, none is outstanding, there is new audio."""
        due = now - self.partial_sent_at >= self.effort.partial_interval_ms / 1000
        if not due or self._awaited or self._speculation or self.samples <= self._heard_until:
            return []
        if self.samples - self._window_start > self._window:
            self._slide(self.samples - self._window // 2)
        self._partials += 1
        self.partial_sent_at, self._heard_until = now, self.samples
        self._awaited = self._job(
            Kind.PARTIAL,
            f"p{self._partials}",
            start=self._window_start,
            end=None,
            beam_size=1,
            words=self.samples - self._window_start > SLIDE_AT * self._window,
            prefix=" ".join(self._stabiliser.agreed),
        )
        return [*self._store(), Submit(self._awaited)]

    def hear_partial(self, result: Result) -> str | None:
        """The text to show for a partial's answer; `None` when it is not the one awaited or says nothing."""
        job = self._awaited
        if job is None or job.job_id != result.job_id:
            return None
        self._awaited = None
        if not isinstance(result, Transcript) or not result.text:
            return None
        if result.audio_end - job.start >= EVIDENCE * self._window:
            self._stabiliser.feed(result.text, result.sure_words)
            self._partials_in = self._partials_in or result.language
        text = " ".join([*self._committed, result.text])
        agreed = len(self._stabiliser.agreed)
        if agreed and len(result.words) > agreed:
            self._slide(job.start + int(result.words[agreed - 1].end * SAMPLE_RATE))
        return text

    def forget_partial(self) -> None:
        """Give up an outstanding partial: it is taken for lost."""
        self._awaited = None

    def _slide(self, window_start: int) -> None:
        """Let the window begin later; the stable words before it stay as they are."""
        self._committed += self._stabiliser.commit()
        self._window_start = max(self._window_start, min(window_start, self.samples))

    # Finals

    @property
    def speculative(self) -> bool:
        """Whether the segment's final was asked for ahead of the endpoint, in the pause that lasts still."""
        return self._speculation is not None

    @property
    def answer_ahead(self) -> Transcript | None:
        """The final's answer if the pause that lasts is its end; `None` where that is not known."""
        ahead = self._speculation
        if ahead is None or ahead.answer is None:
            return None
        return joined(ahead.pieces, ahead.job.start, ahead.answer)

    def speculate(self, now: float, before: SegmentBefore | None = None) -> list[Effect]:
        """Ask for the final of what there is: the pause may be the end."""
        self._speculation, effects = self._ask_final(self.samples, now, before, ahead=True)
        return effects

    def resume(self) -> list[Effect]:
        """The pause was not the end: what was decoded in it is a piece of the whole, if it is long enough."""
        ahead, self._speculation = self._speculation, None
        if ahead is None:
            return []
        ahead = replace(ahead, worth=self._pieces.are_worth(ahead.job, self.samples, at_ease=self.effort.at_ease))
        if ahead.answer is None:
            self._overtaken[ahead.job.job_id] = ahead
            return []
        return self._keep(ahead, ahead.answer)

    def hear_overtaken(self, result: Result) -> list[Effect] | None:
        """Take the answer to a speculation that speech went on after; `None` when it is none."""
        ahead = self._overtaken.pop(result.job_id, None)
        if ahead is None:
            return None
        return self._keep(ahead, result if isinstance(result, Transcript) else None)

    def _keep(self, ahead: Speculation, answer: Transcript | None) -> list[Effect]:
        """Keep what a speculation said as a piece, if it is worth it; partials begin after it then."""
        if answer is not None and answer.text and answer.audio_end > self._believed[1]:
            self._believed = ahead.job.start, answer.audio_end, answer.text
        if answer is None or not ahead.worth or not self._pieces.keep(ahead.pieces, ahead.job, answer):
            return [CountSpeculation("miss")]
        effects: list[Effect] = [CountSpeculation("kept")]
        words = self._pieces.words
        if self._window_start <= self._pieces.end and self._stabiliser.settle(words):
            self._committed, self._window_start = words, self._pieces.end
            effects += self._cancel_partial()
        return effects

    def hear_speculation(self, result: Result, now: float) -> float | None:
        """Take the speculation's answer; returns how long it took (s), `None` when this is none.

        One that failed is as good as none: the final is asked for again at the endpoint.
        """
        ahead = self._speculation
        if ahead is None or ahead.job.job_id != result.job_id:
            return None
        self._speculation = replace(ahead, answer=result, answered_at=now) if isinstance(result, Transcript) else None
        return now - ahead.asked_at

    def close(
        self, closed: Closed, now: float, flush_id: str | None = None, before: SegmentBefore | None = None
    ) -> tuple[PendingFinal, list[Effect]]:
        """The final to await, and what to do for it.

        The text of a speculation is the final's where the segment ends in the pause it was made in. A cut at the
        maximum lies in the past, so the segment may be shorter than what it has been given.
        """
        samples = closed.end - self.start
        ahead = None if closed.continues else self._speculation
        counted: list[Effect] = [CountSpeculation("hit" if ahead else "miss")] if self._speculation else []
        counted += [CountSpeculation("miss") for _ in self._overtaken]
        if ahead:
            effects = self._store()
        else:
            ahead, effects = self._ask_final(samples, now, before)
        final = PendingFinal(
            ahead.job,
            start=self.start,
            samples=samples,
            speech_at=self._speech_at,
            speech_end=closed.speech_end,
            asked_at=ahead.asked_at,
            closed_at=now,
            pcm=self.pcm,
            partials=self.partials,
            flush_id=flush_id,
            answer=ahead.answer,
            answered_at=ahead.answered_at,
            detected=self.language.detected,
            pieces=ahead.pieces,
        )
        return final, [*counted, *effects]

    def close_empty(self, now: float, flush_id: str) -> PendingFinal:
        """The final of a segment without audio, answered already: its job is sent to nobody."""
        job = self._job(Kind.FINAL, "f0", start=0, end=0, beam_size=0, words=False)
        return PendingFinal(
            job,
            start=self.start,
            samples=0,
            speech_at=self.start,
            speech_end=self.start,
            asked_at=now,
            closed_at=now,
            pcm=self.pcm,
            flush_id=flush_id,
            answer=nothing(job),
            answered_at=now,
        )

    def _ask_final(
        self, samples: int, now: float, before: SegmentBefore | None, *, ahead: bool = False
    ) -> tuple[Speculation, list[Effect]]:
        """Ask for the final of so many samples, as far as no piece has it; with what was before, if it helps."""
        self._finals += 1
        known = self._pieces.for_final(samples)
        job = self._job(
            Kind.FINAL,
            f"f{self._finals}",
            start=known[-1].end if known else 0,
            end=samples,
            beam_size=self.effort.beam_size,
            words=self._config.word_timestamps,
            known_in=known[-1].answer.language if known else "",
            turn=ahead and turns.are_judged(self._config.vad, self.language.code),
        )
        since, _, believed = self._believed
        if since == job.start:
            job = replace_job(job, believed=believed)
        effects = [*self._store(), *self._cancel_partial()]
        if before and not known and self._follows(before, samples):
            key = before_key(self._uid, self.segment_id)
            job = replace_job(job, before=before.told(key))
            effects += [] if self._before_stored else [StoreBefore(self.segment_id, before.pcm)]
            self._before_stored = True  # none other can be the one before while this one is open
        return Speculation(job, now, known), [*effects, Submit(job)]

    def _follows(self, before: SegmentBefore, samples: int) -> bool:
        """Whether what there is, of so many samples, goes on from the segment before, in the language of that.

        It costs a decode more, so it is the first to go where work is shed.
        """
        sure = self.effort.at_ease and self._config.vad.enabled and not self.language.detected
        return sure and before.is_followed_by(self._speech_at, self._opened_at, samples, self.language.code)

    def _cancel_partial(self) -> list[Effect]:
        """A partial still outstanding would say less than the final: let it not be decoded any more."""
        if self._awaited is None:
            return []
        self._awaited = None
        return [CancelPartials(self.segment_id, self._partials)]

    def _store(self) -> list[Effect]:
        if self._stored == self.samples:
            return []
        stored = StoreAudio(self.segment_id, self._stored, bytes(self.pcm[self._stored * BYTES_PER_SAMPLE :]))
        self._stored = self.samples
        return [stored]

    def _job(
        self,
        kind: Kind,
        name: str,
        *,
        start: int,
        end: int | None,
        beam_size: int,
        words: bool,
        prefix: str = "",
        known_in: str = "",
        turn: bool = False,
    ) -> Job:
        found = self._partials_in if kind is Kind.PARTIAL else known_in
        language = found or self.language.code
        return Job(
            job_id=f"{self._uid}:{self.segment_id}:{name}",
            group=group_name(self._uid),
            segment_id=self.segment_id,
            kind=kind,
            audio_key=audio_key(self._uid, self.segment_id),
            overtaken_key=overtaken_key(self._uid, self.segment_id),
            number=self._partials,
            start=start,
            end=end,
            language=language,
            languages={} if found else self.language.known,
            task=self._config.task,
            endpointed=self._config.vad.enabled,
            recorded=self._config.recorded,
            keyterms=self._config.keyterms_in(language),
            beam_size=beam_size,
            word_timestamps=words,
            prefix=prefix,
            turn=turn,
        )
