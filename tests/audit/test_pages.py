"""The admin's pages over the records: who sees what, exports, cancel, erase, the number of queries."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from harness.processes import free_port
from tests.audit.conftest import use_redis
from tests.cluster.workers import announce
from transcription.audit.roles import AUDITORS, OPERATORS
from transcription.models import Segment, Session

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("redis_there"),
    pytest.mark.filterwarnings("ignore:No directory at"),  # no collectstatic
]
SAID = "são vinte e cinco reais, viu"
SESSIONS = "/admin/transcription/session/"
SECRET = "abracadabra"
STARTED = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)


def record(number: int = 1, segments: int = 2, reason: str = "completed") -> Session:
    """A session with what the recorder writes."""
    session = Session.objects.create(
        uid=f"{number:032x}", session_id=f"call-{number}", client="10.0.0.1", language="pt", sample_rate=16_000,
        started_at=STARTED + timedelta(days=number), ended_at=STARTED + timedelta(days=number, minutes=2),
        reason=reason, total_audio_ms=120_000, total_segments=segments, errors=1, worst_final_ms=640.0,
        events=[{"t_ms": 500.0, "what": "INVALID_MESSAGE: <no>", "times": 2}],
    )  # fmt: skip
    for i in range(segments):
        Segment.objects.create(
            session=session, segment_id=f"seg-{i + 1:04}", start_ms=i * 5_000.0, duration_ms=2_000.0,
            speech_end_ms=i * 5_000.0 + 1_500, text=f"{SECRET} <{i}>", confidence=0.9,
            words=[{"word": SECRET, "start": 0.1, "end": 0.6, "probability": 0.95},
                   {"word": f"<{i}>", "start": 0.7, "end": 1.2, "probability": 0.2}],
            latency_ms=640.0, latency={"vad_wait": 500, "queue": 20, "batch_wait": 10, "model": 100, "delivery": 10},
            partials=[[i * 5_000.0 + 900, 80.0, 11]], created_at=STARTED,
        )  # fmt: skip
    return session


def test_the_list_shows_a_session_with_its_figures(login: Callable[[str | None], Client]) -> None:
    """State, minutes, the worst final; one without an end that nobody holds is lost."""
    record()
    record(2, reason="")
    page = login(OPERATORS).get(SESSIONS).content.decode()

    for shown in ("call-1", "completed", "2.0", "640 ms", "0:02:00", "lost"):
        assert shown in page


def test_a_session_that_a_process_holds_is_live(login: Callable[[str | None], Client], valkey: redis.Redis) -> None:
    """By its lease; one with the client's name for it but another owner does not count."""
    session = record(3, reason="")
    client = login(OPERATORS)
    valkey.set("stt:session:call-3", "somebody else's", ex=60)
    other = client.get(SESSIONS).content.decode()
    valkey.set("stt:session:call-3", session.uid, ex=60)
    page = client.get(SESSIONS).content.decode()

    assert ">lost<" in other
    assert ">live<" in page


def test_live_and_lost_are_two_states(login: Callable[[str | None], Client], valkey: redis.Redis) -> None:
    """In the filter as in the list; a lost session offers no Cancel."""
    held, lost = record(4, reason=""), record(5, reason="")
    record(6)
    valkey.set("stt:session:call-4", held.uid, ex=60)
    valkey.zadd("stt:sessions", {"call-4": 2e9, "call-9": 2e9})
    client = login(OPERATORS)
    found = {state: client.get(f"{SESSIONS}?state={state}").context["cl"].queryset for state in ("live", "lost")}
    offered = ["Cancel …" in client.get(f"{SESSIONS}{session.pk}/change/").content.decode() for session in (held, lost)]

    assert [list(found[state]) for state in found] == [[held], [lost]]
    assert offered == [True, False]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=error", {3}), ("state=live", set()), ("state=lost", {2}), ("had_errors=no", set()),
        ("language=pt", {1, 2, 3}),
        ("q=call-1", {1}), (f"q={2:032x}", {2}), ("started_at__year=2026&started_at__month=3&started_at__day=4", {3}),
        ("q=nobody", set()),
    ],
)  # fmt: skip
def test_filters_and_search_find(login: Callable[[str | None], Client], query: str, found: set[int]) -> None:
    """By state, errors, language, day, session id, uid."""
    for number, reason in enumerate(["completed", "", "error"], 1):
        record(number, reason=reason)
    page = login(OPERATORS).get(f"{SESSIONS}?{query}").content.decode()

    assert {number for number in (1, 2, 3) if f">call-{number}<" in page} == found


def test_dates_narrow_the_list(login: Callable[[str | None], Client]) -> None:
    """Year, months between the first and the last session, and back."""
    record()
    client = login(OPERATORS)
    years, months = (client.get(f"{SESSIONS}{query}").content.decode() for query in ("", "?started_at__year=2026"))

    assert '<a href="?started_at__year=2026">2026</a>' in years
    assert "started_at__month=3&amp;started_at__year=2026" in months
    assert "started_at__month=4" not in months
    assert "All dates" in months


def test_pages_take_as_many_queries_for_many_rows_as_for_few(login: Callable[[str | None], Client]) -> None:
    """No query a row, on either list nor on a session's page."""
    client = login(None)

    def count() -> list[int]:
        pk, counts = Session.objects.values_list("pk", flat=True).latest("pk"), []
        for url in (SESSIONS, "/admin/transcription/segment/", f"{SESSIONS}{pk}/change/"):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            counts.append(len(queries))
        return counts

    record(1, segments=1)
    count()
    few = count()
    for number in range(2, 30):
        record(number, segments=20)

    assert count() == few
    assert max(few) <= 11


def test_one_session_shows_its_timeline_its_words_and_its_events(login: Callable[[str | None], Client]) -> None:
    """Bars, marks, shaded words, escaped text, the exports offered."""
    session = record()
    page = login(OPERATORS).get(f"{SESSIONS}{session.pk}/change/").content.decode()

    assert page.count('class="model" x=') == 2
    assert "seg-0001, model 100 ms" in page
    assert "seg-0001, partial of 11 characters after 80 ms" in page
    assert f'<span class="p4" title="0.10–0.60 s, 95%">{SECRET}</span>' in page
    assert '<span class="p0" title="0.70–1.20 s, 20%">&lt;0&gt;</span>' in page
    assert "INVALID_MESSAGE: &lt;no&gt;" in page
    assert "<no>" not in page
    assert all(f"/export/{name}" in page for name in ("json", "srt", "vtt", "txt"))


def test_a_long_session_comes_in_pages_and_a_segment_is_found_on_its(login: Callable[[str | None], Client]) -> None:
    """From the list of segments: to the page it is on, at its row."""
    session = record(segments=150)
    client = login(OPERATORS)
    segment = Segment.objects.get(segment_id="seg-0120")
    there = client.get(f"/admin/transcription/segment/{segment.pk}/change/")
    page = client.get(there["Location"]).content.decode()

    assert there["Location"] == f"{SESSIONS}{session.pk}/change/?segment=seg-0120#seg-0120"
    assert 'id="seg-0120"' in page
    assert 'id="seg-0001"' not in page
    assert "page 2 of 2" in page


def test_an_auditor_never_sees_what_was_said(login: Callable[[str | None], Client]) -> None:
    """List, search, one session, segments, export as JSON: timings yes, text no; text formats are refused."""
    session = record()
    client = login(AUDITORS)
    pages = [
        SESSIONS, f"{SESSIONS}{session.pk}/change/", "/admin/transcription/segment/",
        f"{SESSIONS}{session.pk}/export/json", f"{SESSIONS}live/", "/admin/",
    ]  # fmt: skip
    answers = [client.get(page) for page in pages]
    exported = json.loads(answers[3].content)

    assert [answer.status_code for answer in answers] == [200] * len(pages)
    assert not [page for page, answer in zip(pages, answers, strict=True) if SECRET in answer.content.decode()]
    assert ">call-1<" not in client.get(f"{SESSIONS}?q={SECRET}").content.decode()
    assert "640" in answers[1].content.decode()
    assert exported["transcripts"] is False
    assert exported["segments"][0]["latency"]["model"] == 100
    assert not {"text", "words", "dropped"} & exported["segments"][0].keys()
    assert [client.get(f"{SESSIONS}{session.pk}/export/{name}").status_code for name in ("srt", "vtt", "txt")] == [
        403
    ] * 3
    assert [client.post(f"{SESSIONS}{session.pk}/{action}/").status_code for action in ("cancel", "erase")] == [403] * 2


def test_exports_are_files_and_noted(login: Callable[[str | None], Client]) -> None:
    """Each format, named after the session; an unknown one is not found."""
    session = record()
    client = login(OPERATORS)
    files = {name: client.get(f"{SESSIONS}{session.pk}/export/{name}") for name in ("json", "srt", "vtt", "txt")}

    assert files["srt"].content.decode().startswith(f"1\n00:00:00,100 --> 00:00:01,200\n{SECRET} <0>\n")
    assert files["vtt"].content.decode().startswith("WEBVTT\n")
    assert files["txt"].content.decode() == f"{SECRET} <0>\n{SECRET} <1>\n"
    assert json.loads(files["json"].content)["segments"][1]["text"] == f"{SECRET} <1>"
    assert {name: file["Content-Type"] for name, file in files.items()} == {
        "json": "application/json; charset=utf-8",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
        "txt": "text/plain; charset=utf-8",
    }
    assert files["srt"]["Content-Disposition"] == 'attachment; filename="call-1.srt"'
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        f"Exported as {name}." for name in files
    ]
    assert client.get(f"{SESSIONS}{session.pk}/export/pdf").status_code == 404


def test_exports_of_portuguese_sessions_are_formatted_if_asked(login: Callable[[str | None], Client]) -> None:
    """The JSON has both, for whoever may see what was said; other languages have neither."""
    session = record()
    words = [{"word": word, "start": at, "end": at + 0.5, "probability": 0.9} for at, word in enumerate(SAID.split())]
    Segment.objects.filter(session=session).update(text=SAID, words=words, duration_ms=5_000.0)

    clients = {group: login(group) for group in (OPERATORS, AUDITORS)}

    def export(extension: str, group: str = OPERATORS) -> str:
        return clients[group].get(f"{SESSIONS}{session.pk}/export/{extension}").content.decode()

    segment = json.loads(export("json"))["segments"][0]
    assert (segment["text"], segment["text_formatted"]) == (SAID, "são R$ 25, viu")
    assert (segment["entities"][0]["value"], segment["entities"][0]["start_s"]) == ("25", 1.0)
    assert "text_formatted" not in json.loads(export("json", AUDITORS))["segments"][0]
    assert export("txt") == f"{SAID}\n" * 2
    assert export("txt?formatted") == "são R$ 25, viu\n" * 2
    assert export("srt?formatted").startswith("1\n00:00:00,000 --> 00:00:04,917\nsão R$ 25, viu\n")
    Session.objects.update(language="en")
    assert "text_formatted" not in json.loads(export("json"))["segments"][0]
    assert export("txt?formatted") == f"{SAID}\n" * 2


def test_erasing_deletes_rows_and_keys_once_confirmed(
    login: Callable[[str | None], Client], valkey: redis.Redis
) -> None:
    """Asking changes nothing; other sessions' rows and keys stay; the log keeps that it was done."""
    session, other = record(4), record(5)
    client = login(OPERATORS)
    kept, gone = (
        f"stt:audio:{other.uid}:seg-0001",
        [f"stt:audio:{session.uid}:seg-0001", f"stt:result:{session.uid}:seg-0001:f1"],
    )
    for key in (kept, *gone):
        valkey.set(key, b"pcm", ex=60)
    valkey.sadd(f"stt:index:{session.uid}", "seg-0001", "seg-0001:f1")
    asked = client.get(f"{SESSIONS}{session.pk}/erase/")
    before = Session.objects.count()
    client.post(f"{SESSIONS}{session.pk}/erase/")

    assert "deleted for good" in asked.content.decode()
    assert before == 2
    assert list(Session.objects.all()) == [other]
    assert Segment.objects.filter(session_id=session.pk).count() == 0
    assert valkey.exists(*gone) == 0
    assert valkey.exists(kept) == 1
    assert LogEntry.objects.get().is_deletion()


def test_what_is_live_is_not_erased(login: Callable[[str | None], Client], valkey: redis.Redis) -> None:
    """It has to be cancelled first."""
    session = record(6, reason="")
    valkey.set("stt:session:call-6", session.uid, ex=60)
    page = login(OPERATORS).post(f"{SESSIONS}{session.pk}/erase/", follow=True).content.decode()

    assert "is live: cancel it first" in page
    assert Session.objects.count() == 1


def test_without_redis_pages_answer_and_nothing_is_erased_or_cancelled(
    login: Callable[[str | None], Client], settings: Settings
) -> None:
    """The lists, a session, the workers; erase and cancel say why not and leave no trace in the log."""
    use_redis(settings, f"redis://127.0.0.1:{free_port()}/0")
    session = record(7, reason="")
    client = login(OPERATORS)
    pages = [
        client.get(url).status_code
        for url in (SESSIONS, f"{SESSIONS}?state=lost", f"{SESSIONS}{session.pk}/change/", f"{SESSIONS}workers/")
    ]
    said = [
        client.post(f"{SESSIONS}{session.pk}/{action}/", follow=True).content.decode() for action in ("cancel", "erase")
    ]

    assert pages == [200] * 4
    assert all("Redis cannot be reached, nothing was" in page for page in said)
    assert Session.objects.count() == 1
    assert LogEntry.objects.count() == 0


def test_cancelling_a_session_that_nobody_holds_says_so(login: Callable[[str | None], Client]) -> None:
    """Instead of pretending."""
    session = record(8, reason="")
    page = login(OPERATORS).post(f"{SESSIONS}{session.pk}/cancel/", follow=True).content.decode()

    assert "is not live: no web process holds it" in page
    assert LogEntry.objects.count() == 0


def test_the_workers_page_has_a_row_a_worker(login: Callable[[str | None], Client], valkey: redis.Redis) -> None:
    """From their heartbeats."""
    for worker_id in ("w1", "w2"):
        announce(valkey, worker_id, model="tiny")
    page = login(AUDITORS).get(f"{SESSIONS}workers/").content.decode()

    assert page.count('<th scope="row">') == 2
    assert page.count("<td>tiny</td>") == 2


def test_segments_are_found_by_their_trouble(login: Callable[[str | None], Client]) -> None:
    """Failed, tried again, slow."""
    session = record(9, segments=4)
    for segment_id, fields in {
        "seg-0001": {"failure": "No answer"},
        "seg-0002": {"attempts": 2},
        "seg-0003": {"latency_ms": 1500},
    }.items():
        Segment.objects.filter(session=session, segment_id=segment_id).update(**fields)
    client = login(AUDITORS)
    found = {}
    for trouble in ("failed", "retried", "slow"):
        page = client.get(f"/admin/transcription/segment/?trouble={trouble}").content.decode()
        found[trouble] = [i for i in range(1, 5) if f">seg-000{i}<" in page]

    assert found == {"failed": [1], "retried": [2], "slow": [3]}


def test_groups_are_made_once_and_then_left_alone() -> None:
    """What somebody takes from a group stays taken."""
    from django.apps import apps

    from transcription.audit import roles

    group = Group.objects.get(name=OPERATORS)
    group.permissions.clear()
    roles.make(apps.get_app_config("transcription"), using="default")

    assert not group.permissions.exists()
    assert Group.objects.get(name=AUDITORS).permissions.filter(codename="view_session").exists()
    assert not Group.objects.get(name=AUDITORS).permissions.filter(codename="view_transcript").exists()
