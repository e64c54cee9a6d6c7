"""Terms that a session's jobs listen for."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.core.session.fakes import FAST, Talk
from transcription.core.config import SessionConfig
from transcription.core.protocol import LONGEST_KEYTERM, MOST_KEYTERMS, Configured, Error


def begun(config: SessionConfig = FAST, **asked: Any) -> Talk:
    talk = Talk(config)
    talk.start(msgspec.json.encode(asked).decode())
    return talk


def say(talk: Talk, windows: int = 20) -> None:
    """A sentence, and the silence that ends it."""
    talk.windows(windows, speaking=True)
    talk.windows(40, speaking=False)
    talk.answer(talk.final())


def configure(talk: Talk, **options: Any) -> None:
    talk.text(msgspec.json.encode({"type": "configure", **options}).decode())


def test_every_job_has_the_terms() -> None:
    """Partials and finals; each once, with single spaces."""
    talk = begun(keyterms=["Sicoob", "Conta  Fácil", " Sicoob "])
    say(talk)

    assert {job.kind for job in talk.jobs} == {"partial", "final"}
    assert {job.keyterms for job in talk.jobs} == {("Sicoob", "Conta Fácil")}


def test_terms_change_with_the_next_utterance() -> None:
    """An open one has the terms that it began with, its final decoded ahead too; all that there were are replaced."""
    talk = begun(keyterms=["Sicoob"])
    talk.windows(10, speaking=True)
    configure(talk, keyterms=["Unimed"])
    say(talk, 10)
    first = len(talk.jobs)
    configure(talk, turn_mode="auto")
    say(talk)
    second = len(talk.jobs)
    configure(talk, keyterms=[])
    say(talk)

    assert {job.keyterms for job in talk.jobs[:first]} == {("Sicoob",)}
    assert {job.keyterms for job in talk.jobs[first:second]} == {("Unimed",)}
    assert {job.keyterms for job in talk.jobs[second:]} == {()}
    told = [message.keyterms for message in talk.sent if isinstance(message, Configured)]
    assert told == [["Unimed"], ["Unimed"], msgspec.UNSET]


@pytest.mark.parametrize(
    "config",
    [replace(FAST, language="en"), replace(FAST, task="translate")],
)  # fmt: skip
def test_only_portuguese_is_listened_to(config: SessionConfig) -> None:
    """Terms are compared by how Portuguese sounds."""
    talk = begun(config, keyterms=["Sicoob"])
    say(talk)

    assert {job.keyterms for job in talk.jobs} == {()}


@pytest.mark.parametrize(
    "terms",
    [["x" * (LONGEST_KEYTERM + 1)], ["Ana"] * (MOST_KEYTERMS + 1), [""], [" "], ["120"], [1], "Sicoob"],
)
@pytest.mark.parametrize("kind", ["start_session", "configure"])
def test_terms_that_are_none_are_refused(terms: Any, kind: str) -> None:
    """By an error that names the field; a `configure` changes nothing then."""
    talk = begun(keyterms=["Sicoob"])
    message = {"config": {"keyterms": terms}} if kind == "start_session" else {"keyterms": terms}
    talk.text(msgspec.json.encode({"type": kind, **message}).decode())
    say(talk)

    (error,) = [message for message in talk.sent if isinstance(message, Error)]
    assert "keyterms" in error.message
    assert {job.keyterms for job in talk.jobs} == {("Sicoob",)}


def test_as_many_and_as_long_as_may_be() -> None:
    """And no more is said of them anywhere: not in the session's events, which are records."""
    terms = [f"{n:02}" + "é" * (LONGEST_KEYTERM - 2) for n in range(MOST_KEYTERMS)]
    talk = begun()
    configure(talk, keyterms=terms)
    say(talk)

    assert talk.jobs[-1].keyterms == tuple(terms)
    noted = [str(event) for event in talk.session._log.events]
    assert noted and "é" not in "".join(noted)


def test_what_is_configured_too_late_is_answered() -> None:
    """While the last finals are awaited, after `end_session`."""
    talk = begun()
    talk.windows(20, speaking=True)
    talk.text('{"type": "end_session"}')
    configure(talk, keyterms=["Unimed"])

    assert talk.sent[-1].refused == "configure"
