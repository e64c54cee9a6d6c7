"""What goes when: purged after its time, erased at once, and who is asked whether a session is live."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.processes import free_port
from transcription.audit import actions, retention
from transcription.core.contract import keyspace
from transcription.core.contract.messages import CANCEL_TYPE
from transcription.keys import access
from transcription.models import ApiKey, Segment, Session

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def use_valkey(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (actions, retention):
        monkeypatch.setattr(module, "probe_client", lambda: valkey)


@pytest.fixture
def no_redis(use_valkey: None, monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    for module in (actions, retention):
        monkeypatch.setattr(module, "probe_client", lambda: away)


def record(name: str, *, days_ago: float = 1.0, ended: bool = True, segments: int = 1) -> Session:
    started = NOW - timedelta(days=days_ago)
    session = Session.objects.create(
        uid=f"uid-{name}", session_id=name, language="pt", sample_rate=16_000, started_at=started,
        ended_at=started + timedelta(hours=12) if ended else None,
    )  # fmt: skip
    for number in range(1, segments + 1):
        Segment.objects.create(
            session=session, segment_id=f"seg-{number:04}", start_ms=0, duration_ms=1, created_at=started
        )
    return session


def left() -> set[str]:
    return set(Session.objects.values_list("session_id", flat=True))


def test_what_was_over_by_then_is_purged_with_its_segments() -> None:
    """Started and ended before; one without an end died with its process, and one that began later may be live."""
    record("old", days_ago=31)
    record("over the line", days_ago=30.2)
    record("died", days_ago=31, ended=False)
    record("lately", days_ago=2)
    record("live", days_ago=1, ended=False)

    assert retention.purge(NOW - timedelta(days=30)) == 2
    assert left() == {"over the line", "lately", "live"}
    assert Segment.objects.count() == 3


def test_many_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, and the oldest first."""
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        record(f"s{number}", days_ago=40 + number, segments=2)
    batches = list[list[int]]()
    plain = retention._batches
    monkeypatch.setattr(retention, "_batches", lambda chosen: (batches.append(b) or b for b in plain(chosen)))

    assert retention.delete(Session.objects.all()) == 5
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert not Segment.objects.exists()


def test_a_session_is_held_by_who_has_its_lease(valkey: redis.Redis) -> None:
    """Under its own uid: the client's name may be another session's by now."""
    mine, other, lost = (record(name, ended=False) for name in ("mine", "other", "lost"))
    valkey.set(keyspace.lease_key("mine"), mine.uid)
    valkey.set(keyspace.lease_key("other"), "somebody else")

    assert actions.held([mine, other, lost]) == {mine.pk}
    assert actions.held([]) == set()


def test_nobody_is_asked_of_no_session(no_redis: None) -> None:
    """A list without live sessions needs no Redis."""
    assert actions.held([]) == set()


def test_what_redis_holds_of_a_session_goes_and_nothing_else(valkey: redis.Redis) -> None:
    session = record("mine")
    entries = ["seg-0001", "seg-0001:f1"]
    valkey.sadd(keyspace.index_key(session.uid), *entries)
    gone = keyspace.session_keys(session.uid, "mine", entries)
    kept = [keyspace.audio_key("uid-other", "seg-0001"), keyspace.lease_key("mine")]
    for key in {*gone, *kept} - {keyspace.index_key(session.uid)}:
        valkey.set(key, "x")
    retention.forget(session)

    assert valkey.exists(*gone) == 0
    assert valkey.exists(*kept) == 2


def test_what_the_listeners_of_its_call_were_told_goes_with_it(valkey: redis.Redis) -> None:
    """Under the session's API key; what others under the same name were told stays."""
    key = ApiKey(name="switch")
    access.issue(key)
    session = record("CA1/MZ1")
    Session.objects.filter(pk=session.pk).update(api_key=key)
    session.refresh_from_db()
    mine, other = keyspace.call_key(str(key.pk), "CA1"), keyspace.call_key("", "CA1")
    for name in (mine, other):
        valkey.xadd(name, {"text": "x"})
    retention.forget(session)

    assert [valkey.exists(name) for name in (mine, other)] == [0, 1]


async def test_a_cancelled_session_is_told_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own group."""
    layer = InMemoryChannelLayer()
    monkeypatch.setattr(actions, "get_channel_layer", lambda: layer)
    channel = await layer.new_channel()
    await layer.group_add(keyspace.group_name("u1"), channel)
    await sync_to_async(actions.cancel)(Session(uid="u1"))

    assert await layer.receive(channel) == {"type": CANCEL_TYPE}


def test_the_command_erases_by_name_all_and_by_uid_one(valkey: redis.Redis, capsys: pytest.CaptureFixture) -> None:
    for number in range(3):
        session = record("same")
        Session.objects.filter(pk=session.pk).update(uid=f"u{number}")
    valkey.set(keyspace.resume_key("same"), "x")
    call_command("erase", "u1")
    one = left(), Session.objects.count()
    call_command("erase", "same")

    assert one == ({"same"}, 2)
    assert capsys.readouterr().out.splitlines() == ["Sessions erased: 1", "Sessions erased: 2"]
    assert (left(), valkey.exists(keyspace.resume_key("same"))) == (set(), 0)


@pytest.mark.parametrize(
    ("name", "said"), [("nobody", "No session is recorded as nobody."), ("live", "live is live: end it first")]
)
def test_the_command_says_why_it_erases_nothing(valkey: redis.Redis, name: str, said: str) -> None:
    session = record("live", ended=False)
    valkey.set(keyspace.lease_key("live"), session.uid)

    with pytest.raises(CommandError, match=said):
        call_command("erase", name)
    assert left() == {"live"}


def test_without_redis_nothing_is_erased(no_redis: None) -> None:
    """Else what it holds would be left, and nobody would know whose it is."""
    record("mine")

    with pytest.raises(CommandError, match="Nothing erased, Redis does not answer"):
        call_command("erase", "mine")
    assert left() == {"mine"}


def test_the_purge_goes_by_the_setting_or_the_option(settings: Settings, capsys: pytest.CaptureFixture) -> None:
    for days in (2, 20, 40):
        record(f"of {days}", days_ago=days)
    for days, options in ((30, []), (0, []), (0, ["--days", "10"])):
        settings.STT = django_settings.STT.model_copy(update={"retention_days": days})
        call_command("purge", *options)

    assert capsys.readouterr().out.splitlines() == [
        "Sessions purged, 30 days old or more: 1",
        "Records are kept for ever: STT_RETENTION_DAYS is 0.",
        "Sessions purged, 10 days old or more: 1",
    ]
    assert left() == {"of 2"}
