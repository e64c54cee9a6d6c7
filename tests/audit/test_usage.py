"""Usage: rolled up of sessions and refusals, shown on the admin's home, as CSV and as JSON; it names nobody."""

import csv
import json
import random
import re
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.audit.test_pages import record
from transcription.audit import actions, charts, histogram, rollup, usage
from transcription.audit.charts import Bar
from transcription.audit.records import Record
from transcription.audit.refusals import Refusals
from transcription.audit.roles import AUDITORS, OPERATORS
from transcription.core.protocol import EndReason
from transcription.keys import access
from transcription.models import ApiKey, Refusal, Segment, Session, Tag, Usage

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("redis_there"),
    pytest.mark.filterwarnings("ignore:No directory at"),
]
NOW = datetime.now(UTC)


def talk(days_ago: float, key: str = "crm", latency_ms: float = 640.0, segments: int = 2, **fields: object) -> Session:
    """A session of two minutes that began so long ago."""
    number = Session.objects.count() + 1
    session = record(number, segments=segments)
    begun = NOW - timedelta(days=days_ago)
    fields = {"started_at": begun, "ended_at": begun + timedelta(minutes=2), "api_key_name": key} | fields
    Session.objects.filter(pk=session.pk).update(**fields)
    Segment.objects.filter(session=session).update(latency_ms=latency_ms)
    return session


def test_percentiles_of_parts_that_were_added_up_are_those_of_the_whole() -> None:
    """Within half a bucket, whichever way the values are spread."""
    rng = random.Random(7)
    values = [rng.lognormvariate(6.4, 0.8) for _ in range(20_000)]
    parts = [histogram.merged({histogram.bucket(ms): 1} for ms in values[at::10]) for at in range(10)]
    exact = statistics.quantiles(values, n=100)

    whole = histogram.merged(parts)
    assert histogram.percentile(whole, 0.5) == pytest.approx(exact[49], rel=0.03)
    assert histogram.percentile(whole, 0.95) == pytest.approx(exact[94], rel=0.03)
    assert histogram.percentile({}, 0.5) is None
    assert histogram.percentile({histogram.bucket(0): 1}, 0.5) == pytest.approx(1, rel=0.03)


def test_days_are_added_up_by_key_language_and_dialect() -> None:
    """Calls, minutes, errors, segments, latencies; what lies further back is not of these days."""
    talk(0)
    talk(3, "crm", 1_280.0)
    talk(3, "ivr", language="en", dialect="twilio")
    talk(40)
    rollup.roll_up(NOW)
    report = usage.read(NOW)
    crm, ivr = report.parts["key"]

    assert (report.total.figures["calls"], report.total.figures["minutes"]) == (3, 6.0)
    assert report.today.figures["calls"] == sum(line.sums.sessions for line in report.hours) == 1
    assert [(line.name, line.sums.sessions) for line in (crm, ivr)] == [("crm", 2), ("ivr", 1)]
    assert report.days[-4].figures["calls"] == 2
    assert crm.figures["final_p50_ms"] == pytest.approx(640, rel=0.03)
    assert crm.figures["final_p95_ms"] == pytest.approx(1_280, rel=0.03)
    assert ivr.figures["first_text_p50_ms"] == pytest.approx(900 + 80, rel=0.03), "its first partial, not its final"
    assert {line.name for line in report.parts["dialect"]} == {"twilio", ""}
    assert usage.read(NOW, 60).total.figures["calls"] == 4
    assert usage.read(NOW, narrowed={"key": "ivr"}).total.figures["calls"] == 1


def test_rolling_up_again_counts_nothing_twice_and_misses_nothing() -> None:
    """Today's at any time; of a day that is over what ended since; nothing else is looked at."""
    talk(0)
    late = talk(1, reason="", ended_at=None)
    talk(5)
    rollup.roll_up(NOW)
    rollup.roll_up(NOW)
    before = usage.read(NOW).total.figures
    talk(0)
    Session.objects.filter(pk=late.pk).update(ended_at=NOW + timedelta(minutes=1), total_audio_ms=600_000)
    rollup.roll_up(NOW + timedelta(minutes=5))
    after = usage.read(NOW).total.figures

    assert (before["calls"], before["minutes"]) == (3, 6.0)
    assert (after["calls"], after["minutes"]) == (4, 16.0)


def test_what_is_purged_has_been_counted() -> None:
    """A day that is over does not shrink, even where it is made anew."""
    talk(1)
    purged = talk(1)
    rollup.roll_up(NOW - timedelta(hours=1))
    actions.erase(purged)
    Session.objects.update(ended_at=NOW)
    rollup.roll_up(NOW)

    assert usage.read(NOW).total.figures["calls"] == 2


def test_a_call_that_was_resumed_is_one() -> None:
    """Its last connection has all its audio."""
    talk(0, reason=EndReason.RESUMED)
    talk(0, total_audio_ms=240_000)
    rollup.roll_up(NOW)

    assert usage.read(NOW).total.figures["calls"] == 1
    assert usage.read(NOW).total.figures["minutes"] == 4.0


def test_refusals_are_counted_with_one_record_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come; those that the database did not take are counted with the next."""
    records: list[Record] = []
    refusals = Refusals()
    for _ in range(500):
        refusals.count(records.append, "crm", "pt", "native", "QUEUE_FULL")
    refusals.count(records.append, "", "pt", "twilio", "SESSION_EXISTS")
    waiting = len(records)
    with monkeypatch.context() as patch:
        patch.setattr(Refusal.objects, "bulk_create", _away)
        with pytest.raises(OperationalError):
            records[0].write()
    records[0].write()
    refusals.count(records.append, "crm", "pt", "native", "QUEUE_FULL")
    records[1].write()
    rollup.roll_up(datetime.now(UTC))

    assert waiting == 1
    assert records[0].vital
    figures = {line.name: line.figures["refusals"] for line in usage.read(datetime.now(UTC)).parts["key"]}
    assert figures == {"crm": 501, "": 1}


def _away(*_: object) -> None:
    raise OperationalError


def test_nothing_of_a_caller_is_in_a_roll_up() -> None:
    """Not their address, ids, tags, words: what is left after an erasure names nobody."""
    session = talk(0, session_id="maria-silva", external_id="maria@example.com", client="10.9.8.7")
    Tag.objects.create(session=session, name="maria")
    rollup.roll_up(NOW)
    actions.erase(session)
    left = json.dumps([list(Usage.objects.values()), list(Refusal.objects.values())], default=str)

    assert Usage.objects.exists()
    assert not re.search(r"maria|10\.9\.8\.7|abracadabra|" + session.uid, left)


def test_the_home_shows_it_with_links_to_the_sessions(login: Callable[[str | None], Client]) -> None:
    """Figures, charts whose bars lead to the sessions behind them, tables that narrow; Live and Workers beside."""
    talk(0)
    talk(2, "ivr", language="en")
    rollup.roll_up(NOW)
    client = login(AUDITORS)
    page = client.get("/admin/").content.decode()
    bars = re.findall(r'<a href="([^"]*)" aria-label="([^"]*)"', page)
    day = (NOW - timedelta(days=2)).date().isoformat()
    (link,) = [link for link, told in bars if told == f"{day}: calls 1"]
    listed = client.get(link.replace("&amp;", "&")).context["cl"].result_list

    assert [session.api_key_name for session in listed] == ["ivr"]
    assert "/admin/transcription/session/live/" in page
    assert "/admin/transcription/session/workers/" in page
    assert "?key=ivr" in page
    assert "ivr" not in client.get("/admin/?key=crm").content.decode().split("By key")[1].split("By language")[0]
    assert client.get("/admin/?days=nonsense").status_code == 200


def test_who_may_not_see_sessions_sees_no_usage() -> None:
    """Staff without the right: the home without it, and no file."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert 'class="chart"' not in client.get("/admin/").content.decode()
    assert client.get("/admin/usage.csv").status_code == 403


def test_the_csv_has_all_that_is_shown(login: Callable[[str | None], Client]) -> None:
    """A line for the whole, each day, hour, key, language and dialect; a key's name is no formula."""
    talk(0, "=cmd()")
    rollup.roll_up(NOW)
    answer = login(OPERATORS).get("/admin/usage.csv?days=7")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))

    assert [row["of"] for row in rows].count("day") == 7
    assert {row["of"] for row in rows} == {"total", "day", "hour", "key", "language", "dialect"}
    assert (rows[0]["calls"], rows[0]["minutes"]) == ("1", "2.0")
    assert "'=cmd()" in {row["name"] for row in rows}
    assert login(None).get("/admin/usage.csv?days=0").status_code == 400


def test_the_json_is_for_an_operator_s_key() -> None:
    """Not for a client's, a revoked one, or none."""
    talk(0)
    rollup.roll_up(NOW)
    operator, other = ApiKey(name="boss", operator=True), ApiKey(name="crm")
    tokens = [access.issue(key) for key in (operator, other)]

    def get(token: str, query: str = "") -> tuple[int, dict]:
        answer = Client().get(f"/api/usage{query}", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()

    status, told = get(tokens[0])
    assert status == 200
    assert told["total"]["calls"] == told["today"]["calls"] == 1
    assert [line["key"] for line in told["keys"]] == ["crm"]
    assert len(told["days"]) == 30
    assert get(tokens[0], "?days=400")[0] == 400
    for days in ("x", "0", "\N{ARABIC-INDIC DIGIT THREE}", "9" * 5000):
        status, told = get(tokens[0], f"?days={days}")
        assert status == 400
        assert "days: expected 1 to 366" in told["error"]
    assert get(tokens[0], "?key=other")[1]["total"]["calls"] == 0
    assert [get(tokens[1])[0], get("nonsense")[0], Client().get("/api/usage").status_code] == [401] * 3
    access.revoke(ApiKey.objects.filter(pk=operator.pk))
    assert get(tokens[0])[0] == 401


def test_the_home_takes_few_queries_however_many_sessions_there_are(login: Callable[[str | None], Client]) -> None:
    client = login(None)

    def count() -> int:
        rollup.roll_up(NOW)
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/")
        return len(queries)

    talk(0)
    count()
    few = count()
    for days_ago in range(1, 20):
        talk(days_ago, f"key {days_ago % 3}")

    assert count() == few


def test_a_chart_is_drawn_to_a_round_number_and_escapes() -> None:
    """Bars from 0, the lesser before the greater; names are text."""
    drawn = charts.draw("<t>", [Bar("a<b", [30, 60], 'x"y', "?a=1&b=2"), Bar("c", [0], "c", "?")])

    assert "a&lt;b" in drawn
    assert "?a=1&amp;b=2" in drawn
    assert ">100<" in drawn
    assert re.findall(r'class="bar bar\d"[^>]*height="([\d.]+)"', drawn) == ["70.8", "35.4", "0.0"]


def test_it_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    talk(0)
    call_command("rollup")

    assert "Days rolled up: 1" in capsys.readouterr().out
    assert Usage.objects.count() == 2, "the hour and the day"
