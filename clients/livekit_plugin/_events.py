"""What the service says, as LiveKit's speech events."""

import dataclasses
import logging
from typing import Any

from livekit.agents import LanguageCode
from livekit.agents.stt import RecognitionUsage, SpeechData, SpeechEvent, SpeechEventType
from livekit.agents.types import TimedString
from msgspec import to_builtins

from ._session import Event, FinalTranscript, PartialTranscript, ServerError, VadEvent
from ._session.messages import Answer
from ._session.spoken import JITTER_S, Moment, SpokenTimes

_FIELDS = {field.name for field in dataclasses.fields(SpeechEvent)}
_HAS_METADATA = "metadata" in {field.name for field in dataclasses.fields(SpeechData)}
logger = logging.getLogger(__name__)


class Events:
    """Maps one stream's messages, over all its connections.

    They count the stream's samples; LiveKit wants seconds since its input began, and wall-clock time, and both go on
    where no frames come.
    END_OF_SPEECH ends the user's turn, so it waits for the segment's transcript; when speech is heard
    again before that came, LiveKit is told of one speech, not of two that overlap.
    """

    def __init__(self, language: LanguageCode) -> None:
        self.speaking = False
        """Whether LiveKit was told of speech and not of its end."""
        self.spoken = SpokenTimes()
        """The frames' clock is the wall clock."""
        self.language = language
        self._offset = 0.0
        self._counted_from: float | None = None
        self._request_id = ""
        self._speech_ends: dict[str, float] = {}
        self._ending: str | None = None
        self._caught_up = True

    def count_from(self, offset: float, now: float) -> None:
        """LiveKit's input began `offset` seconds ago; without this, with the stream's first frame."""
        self._offset, self._counted_from = offset, now

    def begin(self, session_id: str, *, resumed: bool = False) -> None:
        """A session starts or is resumed."""
        self._request_id = session_id
        self._caught_up = not resumed
        if not resumed:
            self._speech_ends, self._ending = {}, None
            self.spoken.begin()

    def of(self, said: Event) -> list[SpeechEvent]:
        """The events that something the service says stands for, in order."""
        self.spoken.hear(said)
        if isinstance(said, VadEvent | PartialTranscript):
            self._caught_up = True
        match said:
            case VadEvent(state="speech_start"):
                return self._speech_start(said)
            case VadEvent(segment_id=str(segment_id)):
                self._ending = segment_id
                self._speech_ends[segment_id] = said.t_ms
            case PartialTranscript():
                return self._partial(said)
            case FinalTranscript():
                return [*self._final(said), *self._settled(said)]
            case ServerError():
                logger.warning("%s has no transcript: %s", said.segment_id, said.message)
                return self._settled(said)
        return []

    def finish(self) -> list[SpeechEvent]:
        """No more is said: what to tell LiveKit so that no turn stays open."""
        if not self.speaking:
            return []
        self.speaking = False
        return [self._event(SpeechEventType.END_OF_SPEECH)]

    def transcript(self, final: FinalTranscript) -> SpeechData:
        """A final's text with its times and words."""
        spoken = self.spoken.of(final)
        words = [
            TimedString(
                word.word,
                start_time=self._since(start),
                end_time=self._since(end),
                confidence=word.probability,
                start_time_offset=self._offset,
            )
            for word, (start, end) in zip(final.words, spoken.words, strict=True)
        ]
        return SpeechData(
            language=self.language,
            text=final.text,
            start_time=self._since(spoken.start),
            end_time=self._since(self._speech_end(final)),
            confidence=final.confidence,
            words=words or None,
            **_metadata(final),
        )

    def _speech_start(self, event: VadEvent) -> list[SpeechEvent]:
        self._ending = None
        if self.speaking:
            return []
        self.speaking = True
        start = self.spoken.start(event.t_ms / 1000)
        return [self._event(SpeechEventType.START_OF_SPEECH, **_if_known(speech_start_time=start.at))]

    def _partial(self, partial: PartialTranscript) -> list[SpeechEvent]:
        said = SpeechData(
            language=self.language,
            text=partial.text,
            end_time=self._since(self.spoken.end(partial.audio_end_ms / 1000)),
            confidence=partial.confidence,
        )
        # The service has decoded the final already: good enough to begin an answer with.
        kind = SpeechEventType.PREFLIGHT_TRANSCRIPT if partial.speculative else SpeechEventType.INTERIM_TRANSCRIPT
        event = self._event(kind, alternatives=[said])
        if self.speaking:
            return [event]
        self.speaking = True  # its start was told to a connection that was lost
        return [self._event(SpeechEventType.START_OF_SPEECH), event]

    def _final(self, final: FinalTranscript) -> list[SpeechEvent]:
        told = self._event(
            SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[self.transcript(final)],
            **_if_known(speech_end_time=self._speech_end(final).at),
        )
        if not final.audio_duration_ms:
            return [told]  # the answer to a flush in silence
        usage = RecognitionUsage(audio_duration=final.audio_duration_ms / 1000)
        return [told, self._event(SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)]

    def _settled(self, answer: Answer) -> list[SpeechEvent]:
        end_ms = self._speech_ends.pop(answer.segment_id or "", None)
        if end_ms is not None and self._ending == answer.segment_id:
            self._ending, self.speaking = None, False
            end = self.spoken.end(end_ms / 1000)
            return [self._event(SpeechEventType.END_OF_SPEECH, **_if_known(speech_end_time=end.at))]
        # Its end was told to a connection that was lost. No turn may stay open for that; if speech goes on after all,
        # its next partial says so.
        return [] if self._caught_up else self.finish()

    def _speech_end(self, final: FinalTranscript) -> Moment:
        """Where its speech ends; the segment itself ends with silence."""
        end_ms = self._speech_ends.get(final.segment_id, final.audio_start_ms + final.audio_duration_ms)
        return self.spoken.end(end_ms / 1000)

    def _since(self, spoken: Moment) -> float:
        """Seconds since LiveKit's input began."""
        zero, counted_from = self.spoken.zero, self._counted_from
        # Audio that exists already when the stream begins is counted from there.
        waited = max(zero - counted_from, 0.0) if zero is not None and counted_from is not None else 0.0
        return self._offset + (waited if waited > JITTER_S else 0.0) + spoken.since

    def _event(self, kind: SpeechEventType, **fields: object) -> SpeechEvent:
        return SpeechEvent(type=kind, request_id=self._request_id, **fields)  # type: ignore[arg-type]


def _metadata(final: FinalTranscript) -> dict[str, Any]:
    """Formatted text and entities, where there are some and LiveKit's data have a place for them."""
    if final.text_formatted is None or not _HAS_METADATA:
        return {}
    return {"metadata": {"text_formatted": final.text_formatted, "entities": to_builtins(final.entities)}}


def _if_known(**fields: float) -> dict[str, float]:
    """Those of the fields that LiveKit's events have; older versions lack some."""
    return {name: value for name, value in fields.items() if name in _FIELDS}
