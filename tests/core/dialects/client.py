"""A client of another service's, whose dialect talks to a session of ours: all pure."""

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

HASTY = replace(with_vad(FAST, speculate_ms=64, min_silence_ms=160), max_utterance_s=3.0)
SCRIPTS = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.integers(1, 60)),
        st.tuples(st.just("rest"), st.integers(1, 60)),
        st.tuples(st.just("answer"), st.sampled_from(["oi", "oi", "", "bom dia", "bom dia a todos"])),
        st.tuples(st.just("fail"), st.just("")),
        st.tuples(st.just("finalize"), st.just("")),
    ),
    max_size=40,
)


class Client:
    """Says what a script says, and keeps what it is told."""

    def __init__(
        self, dialect: Dialect, finalize: str, close: str, encode: Callable[[bytes], str | bytes] = bytes
    ) -> None:
        """`encode` makes a frame of audio."""
        self.told: list[dict[str, Any]] = []
        self.finalized = 0
        self.spoke = 0
        """Windows of speech."""
        self._dialect, self._finalize, self._close = dialect, finalize, close
        self._encode = encode
        self._talk = Talk(HASTY)
        self._seen = 0
        self._answered: set[str] = set()
        self._take(dialect.open())

    def hear(self, frame: str) -> None:
        """Say something else."""
        self._take(self._dialect.hear(frame))

    def play(self, script: Iterable[tuple[str, Any]]) -> None:
        """All of it, and the end of the stream; whatever is asked of a worker then is answered."""
        for what, how in script:
            match what:
                case "speak" | "rest":
                    self._talk.vad.speaking = what == "speak"
                    for _ in range(how):
                        self._talk.now += 0.032
                        self._take(self._dialect.hear(self._encode(HUM)))
                    self.spoke += how if what == "speak" else 0
                case "answer" if jobs := self._waiting():
                    self._answer(jobs[0], how)
                case "fail" if jobs := [job for job in self._waiting() if job.kind is Kind.FINAL]:
                    self._answer(jobs[0], None)
                case "finalize":
                    self.finalized += 1
                    self._take(self._dialect.hear(self._finalize))
                case "hang up":
                    self._take([EndSession()])
        self._take(self._dialect.hear(self._close))
        while jobs := self._waiting():
            self._answer(jobs[0], "fim")

    def _waiting(self) -> list[Job]:
        return [job for job in self._talk.jobs if job.job_id not in self._answered]

    def _answer(self, job: Job, text: str | None) -> None:
        self._answered.add(job.job_id)
        if text is None:
            result = Failure(
                job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="broken", retryable=False
            )
            self._talk.take(self._talk.session.receive_result(result, self._talk.now))
        else:
            self._talk.answer(job, text)
        self._pass_on()

    def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Reply(text=text) | Notice(text=text):
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
