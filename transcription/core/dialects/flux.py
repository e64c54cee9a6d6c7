"""Deepgram Flux, `/v2/listen` (deepgram-sdk 7.17 `listen/v2`; developers.deepgram.com/docs/flux/state).

A turn begins where speech is confirmed and ends with the final of an utterance whose speech has ended; an utterance
that was only cut for its length is a part of it. A speculative partial is the eager end of the turn. What always holds:
`sequence_id` counts every message, `EndOfTurn` says what the last `EagerEndOfTurn` said unless `TurnResumed` came
between, and eager ends come only to those who set a threshold for them. The thresholds themselves are not looked at:
the endpoint is the server's, and the confidences told are fixed figures. `eot_timeout_ms` is `max_hold_ms`: the silence
that ends a turn of which something is missing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from transcription.core.dialects import deepgram_text
from transcription.core.dialects.deepgram import refusal, refused
from transcription.core.dialects.deepgram_audio import GARBLED, UNPARSABLE, audio
from transcription.core.dialects.dialect import (
    MULTI,
    Hangup,
    Query,
    Refused,
    Reply,
    Step,
    as_frame,
    control,
    pieces,
    spoken,
    started,
    taken,
)
from transcription.core.hearing import Languages
from transcription.core.languages import AUTO
from transcription.core.protocol import (
    LONGEST_KEYTERM,
    MOST_KEYTERMS,
    Configure,
    EndSession,
    Error,
    FinalTranscript,
    Flush,
    PartialTranscript,
    ServerMessage,
    SessionStarted,
    StartSession,
    VadEvent,
    Word,
)

TIMEOUT, SHORTEST_MS, LONGEST_MS = "eot_timeout_ms", 500, 10_000
OUT_OF_RANGE = f"{TIMEOUT}: expected {SHORTEST_MS} to {LONGEST_MS}"
HINT, HINTS = "language_hint", "language_hints"
TERMS = f"expected up to {MOST_KEYTERMS} texts with letters, of up to {LONGEST_KEYTERM} characters"
GOING_ON, EAGER, OVER = 0.1, 0.6, 0.9
"""`end_of_turn_confidence` of an update, an eager end and an end."""


@dataclass(slots=True)
class Turn:
    """The one that is open."""

    start_s: float
    done: list[str] = field(default_factory=list)
    """Texts of its utterances that have their final."""
    words: list[dict[str, object]] = field(default_factory=list)
    """Of those."""
    latest: str = ""
    """What the running utterance says so far."""
    eager: str | None = None
    """What the last eager end said, until the turn is resumed."""
    languages: Counter[str] = field(default_factory=Counter)
    """Of its texts, by words, where they are found out."""
    manual: bool = False
    """Whether the client has asked for its end."""


class DeepgramFlux:
    """One connection."""

    def __init__(self, query: str, request_id: str) -> None:
        self._query = Query(query)
        self._id = request_id
        self._sequence = 0
        self._turns = 0
        self._turn: Turn | None = None
        self._eager_wanted = False
        self._ended: set[str] = set()
        """Segments whose speech has ended, and whose final has not come."""
        self._heard_s = 0.0
        """How far the transcripts have come."""
        self._forced = 0
        self._thresholds: dict[str, float] = {}
        self._keyterms = deepgram_text.keyterms(self._query) or []
        self._hints: list[str] = []
        """Languages, as the client gives them."""

    def open(self) -> Sequence[Step]:
        """Start at once, with what the parameters ask for."""
        query = self._query
        try:
            eager = query.number("eager_eot_threshold")
            self._eager_wanted = eager is not None
            for name in ("eager_eot_threshold", "eot_threshold", "eot_timeout_ms"):
                if (value := query.number(name)) is not None:
                    self._thresholds[name] = value
            heard = audio(query, self._garbled)
            self._hints = [hint for hint in query.values(HINT) if hint]
            hinted = spoken(HINT, self._hints)
            config = started(
                sample_rate=heard.rate,
                encoding=heard.encoding,
                language=MULTI if hinted.languages else hinted.lang_code or "",
                languages=hinted.languages,
                partial_results=True,
                word_timestamps=True,
                redact=deepgram_text.redacts(query),
                keyterms=self._keyterms or None,
                max_hold_ms=_timeout_ms(query),
            )
        except ValueError as error:
            raise refused(self._id, 400, "INVALID_QUERY_PARAMETER", str(error)) from None
        return [*heard.unpack, StartSession(config=config, metadata=deepgram_text.metadata(query))]

    def refuse(self, error: Error) -> Refused:
        """Before the upgrade."""
        return refusal(self._id, error)

    # From the client

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """Audio, or a control message."""
        if isinstance(frame, bytes):
            return pieces(frame) or [frame]  # an empty one is a sign of life
        if (message := control(frame)) is None:
            return [self._warning("INVALID_MESSAGE", "Expected a JSON object with `type`")]
        match kind := message["type"]:
            case "CloseStream":
                return [EndSession()]
            case "ForceEndTurn":
                if self._turn:
                    self._turn.manual = True
                self._forced += 1
                return [Flush(flush_id=f"force-{self._forced}")]
            case "Configure":
                return self._configure(message)
            case "KeepAlive":
                return [b""]
        return [self._warning("UNKNOWN_MESSAGE", f"Unknown type `{str(kind)[:40]}`")]

    def _configure(self, message: dict[str, object]) -> Sequence[Step]:
        asked = message.get("thresholds")
        asked = asked if isinstance(asked, dict) else {}
        wrong = [name for name, value in asked.items() if value is not None and not isinstance(value, int | float)]
        if wrong:
            return [self._refuse("INVALID_VALUE", f"thresholds: expected numbers, got others for {_listed(wrong)}")]
        if not _in_range(timeout_ms := asked.get(TIMEOUT)):
            return [self._refuse("INVALID_VALUE", OUT_OF_RANGE)]
        terms = message.get("keyterms")
        if terms is not None and (not isinstance(terms, list) or taken(terms) != terms):
            return [self._refuse("INVALID_VALUE", f"keyterms: {TERMS}")]
        try:
            hinted = _hinted(hints := message.get(HINTS))
        except ValueError as error:
            return [self._refuse("INVALID_VALUE", str(error))]
        self._thresholds |= {str(name): float(value) for name, value in asked.items() if value is not None}
        self._eager_wanted = "eager_eot_threshold" in self._thresholds
        self._keyterms = self._keyterms if terms is None else terms
        self._hints = [str(hint) for hint in hints] if isinstance(hints, list) else self._hints
        change = Configure(
            max_hold_ms=timeout_ms, keyterms=terms, lang_code=hinted.lang_code, languages=hinted.languages
        )
        held = [change] if change != Configure() else []
        told = {"thresholds": self._thresholds, "keyterms": self._keyterms, HINTS: self._hints}
        return [*held, self._say("ConfigureSuccess", **told)]

    def _garbled(self, message: str) -> Sequence[Step]:
        return [self._say("Error", code=UNPARSABLE, description=message), Hangup(GARBLED)]

    def _refuse(self, code: str, reason: str) -> Reply:
        return self._say("ConfigureFailure", code=code, error_code=code, description=reason)

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """In Flux's words."""
        match message:
            case SessionStarted():
                return [self._say("Connected")]
            case VadEvent(state="speech_start", t_ms=t_ms):
                return self._begin(t_ms / 1000)
            case VadEvent(segment_id=segment_id):
                self._ended.add(segment_id)
            case PartialTranscript() if message.text:
                return self._partial(message)
            case FinalTranscript():
                return self._final(message)
            case Error():
                return self._failed(message)
        return []

    def _begin(self, at_s: float) -> Sequence[Step]:
        if self._turn:
            return []
        self._turn = Turn(at_s)
        return [self._info("StartOfTurn", [], 0.0)]

    def _partial(self, partial: PartialTranscript) -> Sequence[Step]:
        told = [*self._begin(partial.audio_end_ms / 1000)]
        turn = self._turn
        assert turn
        self._heard_s = partial.audio_end_ms / 1000
        turn.latest = partial.text
        words = [*turn.words, *_words(partial.text, partial.confidence)]
        told += self._resume(words)
        if partial.speculative and self._eager_wanted:
            turn.eager = _text(turn)
            return [*told, self._info("EagerEndOfTurn", words, EAGER)]
        return [*told, self._info("Update", words, GOING_ON)]

    def _final(self, final: FinalTranscript) -> Sequence[Step]:
        manual = isinstance(final.flush_id, str)
        self._heard_s = (final.audio_start_ms + final.audio_duration_ms) / 1000
        over = manual or final.segment_id in self._ended
        self._ended.discard(final.segment_id)
        if not self._turn and not final.text:
            return []  # asked for in silence
        told = [*self._begin(final.audio_start_ms / 1000)]
        turn = self._turn
        assert turn
        turn.latest = ""
        if final.text:
            turn.done.append(final.text)
            if final.language:
                turn.languages[final.language] += len(final.text.split())
            turn.words += [_word(word, final.audio_start_ms / 1000) for word in final.words] or _words(
                final.text, final.confidence
            )
        if turn.eager is not None and (turn.eager != _text(turn) or not over):
            told += self._resume(turn.words)
        if not over:
            return [*told, self._info("Update", turn.words, GOING_ON)]
        return [*told, self._end("manual" if manual and turn.manual else "model")]

    def _failed(self, error: Error) -> Sequence[Step]:
        """A segment that gets no final ends the turn with what is there; anything else is a warning."""
        told: list[Step] = [self._warning(str(error.code), error.message)]
        if error.segment_id and self._turn:
            self._ended.discard(error.segment_id)
            self._turn.latest = ""
            if self._turn.eager not in (None, _text(self._turn)):
                told += self._resume(self._turn.words)
            told.append(self._end("timeout"))
        return told

    def _resume(self, words: list[dict[str, object]]) -> Sequence[Reply]:
        if not self._turn or self._turn.eager is None:
            return []
        self._turn.eager = None
        return [self._info("TurnResumed", words, GOING_ON)]

    def _end(self, trigger: str) -> Reply:
        turn = self._turn
        assert turn
        told = self._info("EndOfTurn", turn.words, OVER, trigger=trigger)
        self._turn = None
        self._turns += 1
        return told

    def _info(self, event: str, words: list[dict[str, object]], confidence: float, **more: object) -> Reply:
        turn = self._turn
        assert turn
        if turn.languages:
            more |= {"languages": [code for code, _ in turn.languages.most_common()], "languages_hinted": self._hints}
        return self._say(
            "TurnInfo",
            event=event,
            turn_index=self._turns,
            audio_window_start=round(turn.start_s, 3),
            audio_window_end=round(max(self._heard_s, turn.start_s), 3),
            transcript=_text(turn),
            words=words,
            end_of_turn_confidence=confidence,
            **more,
        )

    def _warning(self, code: str, description: str) -> Reply:
        return self._say("Warning", code=code, description=description)

    def _say(self, kind: str, **fields: object) -> Reply:
        told = as_frame({"type": kind, "request_id": self._id, "sequence_id": self._sequence, **fields})
        self._sequence += 1
        return told


def _hinted(hints: object) -> Languages:
    """Of a `Configure`: none is any of the server's. Raises `ValueError`."""
    match hints:
        case None:
            return Languages()
        case []:
            return Languages(lang_code=AUTO)
        case [*codes]:
            return spoken(HINTS, codes)
    raise ValueError(f"{HINTS}: expected a list of language codes")


def _in_range(timeout_ms: float | None) -> bool:
    """Whether it was left out, or is what Flux takes."""
    return timeout_ms is None or SHORTEST_MS <= timeout_ms <= LONGEST_MS


def _timeout_ms(query: Query) -> float | None:
    """Raises `ValueError` where Flux would not take it."""
    timeout_ms = query.number(TIMEOUT)
    if not _in_range(timeout_ms):
        raise ValueError(OUT_OF_RANGE)
    return timeout_ms


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names))[:80]


def _text(turn: Turn) -> str:
    return " ".join(text for text in (*turn.done, turn.latest) if text)


def _words(text: str, confidence: float) -> list[dict[str, object]]:
    """Words whose times are not known yet."""
    return [{"word": word, "confidence": round(confidence, 4)} for word in text.split()]


def _word(word: Word, at_s: float) -> dict[str, object]:
    return {
        "word": word.word,
        "confidence": word.probability,
        "start": round(at_s + word.start, 3),
        "end": round(at_s + word.end, 3),
    }
