"""A client of another service's, whose dialect talks to a session of ours: all pure."""

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.core.session.fakes import FAST, HUM, Talk, with_vad
from transcription.core.capacity.admission import Admitted
from transcription.core.contract.jobs import Failure, Job, Kind
from transcription.core.dialects.dialect import Dialect, Notice, Reply, Step
from transcription.core.protocol import EndSession

HASTY = replace(with_vad(FAST, speculate_ms=64, min_silence_ms=160), max_utterance_s=3.0, max_partial_window_s=3.2)
LONG = 110
"""Windows of speech that are cut for their length."""
HEARD, LAST = ["oi", "", "bom dia", "bom dia a todos", "boa tarde a todos vocês"], "fim"
"""What workers answer; the second after the client has closed."""
TEXTS = st.sampled_from(HEARD)
PAUSES = st.tuples(
    st.tuples(st.just("speak"), st.integers(4, 30)),
    st.tuples(st.just("answer"), TEXTS),
    st.tuples(st.just("rest"), st.integers(2, 4)),
    st.tuples(st.just("answer last"), TEXTS),
    st.sampled_from([("speak", 6), ("rest", 8), ("finalize", "")]),
    st.one_of(st.tuples(st.just("answer"), TEXTS), st.just(("fail", ""))),
).map(list)
"""Speech that stops for as long as a final is decoded ahead, and what then comes of it: seldom by chance alone."""
AGREED = st.builds(
    lambda text, final: [*[("speak", 14), ("answer", text)] * 3, ("rest", 10), ("answer", final)], TEXTS, TEXTS
)
"""Partials that say the same until it is stable, and a final that may say something else."""


def scripts(*frames: str) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """What may come to pass; `frames`: what else the client may say, at any time."""
    steps = [
        st.tuples(st.just("speak"), st.one_of(st.integers(1, 60), st.just(LONG))),
        st.tuples(st.just("rest"), st.integers(1, 60)),
        st.tuples(st.just("answer"), TEXTS),
        st.tuples(st.just("answer last"), TEXTS),
        st.tuples(st.just("fail"), st.just("")),
        st.tuples(st.just("finalize"), st.just("")),
    ]
    steps += [st.tuples(st.just("say"), st.just(frame)) for frame in frames]
    return st.lists(st.one_of(*[step.map(lambda step: [step]) for step in steps], PAUSES, AGREED), max_size=30).map(
        lambda chunks: list(itertools.chain(*chunks))
    )


class Client:
    """Says what a script says, and keeps what it is told."""

    def __init__(
        self, dialect: Dialect, finalize: str, close: str, encode: Callable[[bytes], str | bytes] = bytes
    ) -> None:
        """`encode` makes a frame of audio."""
        self.told: list[dict[str, Any]] = []
        self.exchanged: list[tuple[str, str | bytes]] = []
        """Every frame of the client's and the server's, as it is."""
        self.finalized = 0
        self.spoke = 0
        """Windows of speech."""
        self._dialect, self._finalize, self._close = dialect, finalize, close
        self._encode = encode
        self._talk = Talk(HASTY)
        self._seen = 0
        self._answered: set[str] = set()
        self._take(dialect.open())

    def say(self, frame: str | bytes) -> None:
        """Send a frame."""
        self.exchanged.append(("client", frame))
        self._take(self._dialect.hear(frame))

    def play(self, script: Iterable[tuple[str, Any]]) -> None:
        """All of it, and the end of the stream; whatever is asked of a worker then is answered."""
        self.play_on(script)
        self.say(self._close)
        while jobs := self._waiting():
            self._answer(jobs[0], LAST)

    def play_on(self, script: Iterable[tuple[str, Any]]) -> None:
        """Some of it."""
        for what, how in script:
            match what:
                case "speak" | "rest":
                    self._talk.vad.speaking = what == "speak"
                    for _ in range(how):
                        self._talk.now += 0.032
                        self.say(self._encode(HUM))
                    self.spoke += how if what == "speak" else 0
                case "answer" if jobs := self._waiting():
                    self._answer(jobs[0], how)
                case "answer last" if jobs := self._waiting():
                    self._answer(jobs[-1], how)  # lanes of a worker overtake each other
                case "fail" if jobs := [job for job in self._waiting() if job.kind is Kind.FINAL]:
                    self._answer(jobs[0], None)
                case "finalize":
                    self.finalized += 1
                    self.say(self._finalize)
                case "say":
                    self.say(how)
                case "hang up":
                    self._take([EndSession()])

    def fields_of(self, job: Job, text: str) -> dict[str, object]:
        """What else a worker tells with a text: of a partial, how far it has heard."""
        if job.kind is Kind.FINAL:
            return {}
        stored = [len(audio.pcm) // 2 for audio in self._talk.stored if audio.segment_id == job.segment_id]
        return {"audio_end": sum(stored)}

    def _waiting(self) -> list[Job]:
        return [job for job in self._talk.jobs if job.job_id not in self._answered]

    def text_of(self, asked: str) -> str:
        """What a worker hears where the script has it answer so."""
        return asked

    def _answer(self, job: Job, text: str | None) -> None:
        self._answered.add(job.job_id)
        if text is None:
            result = Failure(
                job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="broken", retryable=False
            )
            self._talk.take(self._talk.session.receive_result(result, self._talk.now))
        else:
            told = self.text_of(text)
            self._talk.answer(job, told, **self.fields_of(job, told))
        self._pass_on()

    def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Reply(text=text) | Notice(text=text):
                    self.exchanged.append(("server", text))
                    self.told.append(json.loads(text))
                case bytes():
                    self._talk.take(self._talk.session.receive_audio(step, self._talk.now))
                case _:
                    self._talk.text(msgspec.json.encode(step).decode())
                    if msgspec.json.decode(msgspec.json.encode(step))["type"] == "start_session":
                        self._talk.take(self._talk.session.receive_admission(Admitted(), self._talk.now))
        self._pass_on()

    def _pass_on(self) -> None:
        while self._seen < len(self._talk.sent):
            self._seen += 1
            self._take(self._dialect.tell(self._talk.sent[self._seen - 1]))
