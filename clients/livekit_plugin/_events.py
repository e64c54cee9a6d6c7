"""What the service says, as LiveKit's speech events. No I/O."""

import dataclasses
import logging
import time

from livekit.agents import LanguageCode
from livekit.agents.stt import RecognitionUsage, SpeechData, SpeechEvent, SpeechEventType
from livekit.agents.types import TimedString

from ._wire import Message

_FIELDS = {field.name for field in dataclasses.fields(SpeechEvent)}
logger = logging.getLogger(__name__)


class Events:
    """Maps one stream's messages, over all its connections.

    The service counts time in each session's audio; LiveKit wants seconds from the first frame it was given, and
    wall-clock time. END_OF_SPEECH ends the user's turn, so it waits for the segment's transcript; when speech is heard
    again before that came, LiveKit is told of one speech, not of two that overlap.
    """

    def __init__(self, language: LanguageCode) -> None:
        self.speaking = False
        """Whether LiveKit was told of speech and not of its end."""
        self.offset = 0.0
        """Seconds from the first frame of LiveKit's input to the first of this stream."""
        self.began: float | None = None
        """Wall-clock time of the stream's first sample."""
        self.language = language
        self._request_id = ""
        self._base = 0.0
        self._speech_ends: dict[str, float] = {}
        self._ending: str | None = None
        self._caught_up = True

    def begin(self, session_id: str, base: float, *, resumed: bool = False) -> None:
        """A session starts or is resumed, its first sample `base` seconds into the stream."""
        self._request_id, self._base = session_id, base
        self._caught_up = not resumed
        if not resumed:
            self._speech_ends, self._ending = {}, None

    def of(self, message: Message) -> list[SpeechEvent]:
        """The events a message stands for, in order."""
        match message:
            case {"type": "vad_event" | "partial_transcript"}:
                self._caught_up = True
        match message:
            case {"type": "vad_event", "state": "speech_start"}:
                return self._speech_start(message)
            case {"type": "vad_event", "state": "speech_end"}:
                self._ending = message["segment_id"]
                self._speech_ends[message["segment_id"]] = message["t_ms"]
            case {"type": "partial_transcript"}:
                return self._partial(message)
            case {"type": "final_transcript"}:
                return [*self._final(message), *self._settled(message)]
            case {"type": "error"}:
                logger.warning("%s has no transcript: %s", message["segment_id"], message.get("message"))
                return self._settled(message)
        return []

    def finish(self) -> list[SpeechEvent]:
        """No more is said: what to tell LiveKit so that no turn stays open."""
        if not self.speaking:
            return []
        self.speaking = False
        return [self._event(SpeechEventType.END_OF_SPEECH)]

    def transcript(self, message: Message) -> SpeechData:
        """A final's text with its times and words."""
        end_ms = message["audio_start_ms"] + message["audio_duration_ms"]
        words = [self._word(word, message["audio_start_ms"]) for word in message["words"]]
        return SpeechData(
            language=self.language,
            text=message["text"],
            start_time=self._at(message["audio_start_ms"]),
            # A segment ends with silence; its speech does not.
            end_time=self._at(self._speech_ends.get(message["segment_id"], end_ms)),
            confidence=message["confidence"],
            words=words or None,
        )

    def _speech_start(self, message: Message) -> list[SpeechEvent]:
        self._ending = None
        if self.speaking:
            return []
        self.speaking = True
        return [
            self._event(SpeechEventType.START_OF_SPEECH, **_if_known(speech_start_time=self._wall(message["t_ms"])))
        ]

    def _partial(self, message: Message) -> list[SpeechEvent]:
        said = SpeechData(
            language=self.language,
            text=message["text"],
            end_time=self._at(message["audio_end_ms"]),
            confidence=message["confidence"],
        )
        # The service has decoded the final already: good enough to begin an answer with.
        ahead = message.get("speculative", False)
        kind = SpeechEventType.PREFLIGHT_TRANSCRIPT if ahead else SpeechEventType.INTERIM_TRANSCRIPT
        event = self._event(kind, alternatives=[said])
        if self.speaking:
            return [event]
        self.speaking = True  # its start was told to a connection that was lost
        return [self._event(SpeechEventType.START_OF_SPEECH), event]

    def _final(self, message: Message) -> list[SpeechEvent]:
        duration = message["audio_duration_ms"]
        end_ms = self._speech_ends.get(message["segment_id"], message["audio_start_ms"] + duration)
        final = self._event(
            SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[self.transcript(message)],
            **_if_known(speech_end_time=self._wall(end_ms)),
        )
        if not duration:
            return [final]  # the answer to a flush in silence
        usage = RecognitionUsage(audio_duration=duration / 1000)
        return [final, self._event(SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)]

    def _settled(self, message: Message) -> list[SpeechEvent]:
        segment_id = message["segment_id"]
        end_ms = self._speech_ends.pop(segment_id, None)
        if end_ms is not None and self._ending == segment_id:
            self._ending, self.speaking = None, False
            return [self._event(SpeechEventType.END_OF_SPEECH, **_if_known(speech_end_time=self._wall(end_ms)))]
        # Its end was told to a connection that was lost. No turn may stay open for that; if speech goes on after all,
        # its next partial says so.
        return [] if self._caught_up else self.finish()

    def _word(self, word: Message, segment_ms: float) -> TimedString:
        start = self._at(segment_ms)
        return TimedString(
            word["word"],
            start_time=start + word["start"],
            end_time=start + word["end"],
            confidence=word["probability"],
            start_time_offset=self.offset,
        )

    def _at(self, t_ms: float) -> float:
        return self.offset + self._base + t_ms / 1000

    def _wall(self, t_ms: float) -> float | None:
        if self.began is None:
            return None
        # Audio pushed faster than it was spoken would lie in the future.
        return min(self.began + self._base + t_ms / 1000, time.time())

    def _event(self, kind: SpeechEventType, **fields: object) -> SpeechEvent:
        return SpeechEvent(type=kind, request_id=self._request_id, **fields)  # type: ignore[arg-type]


def _if_known(**fields: float | None) -> dict[str, float | None]:
    """Those of the fields that LiveKit's events have; older versions lack some."""
    return {name: value for name, value in fields.items() if name in _FIELDS}
