"""Keys in the database: made, found while they are good, shown once, revoked; by code, by command, in the admin."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.models.query import QuerySet
from django.test import Client

from transcription.keys import access
from transcription.keys.access import Key
from transcription.models import ApiKey, Session

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]  # no collectstatic
KEYS = "/admin/transcription/apikey/"


def issue(name: str = "ana", **fields: object) -> tuple[ApiKey, str]:
    key = ApiKey(name=name, **fields)
    return key, access.issue(key)


def test_a_key_is_found_by_the_whole_of_it() -> None:
    """With what its account needs; the beginning alone, or another end, finds nothing."""
    key, token = issue(max_sessions=2, minutes_a_day=60)
    issue("bea")

    assert access.find(token) == Key(str(key.pk), "ana", 2, 60)
    for wrong in ("", token[:-1], f"{token}x", f"stt_{key.prefix}_", key.digest, token.upper()):
        assert access.find(wrong) is None


def test_the_database_cannot_tell_a_key() -> None:
    """It holds how the key begins, and a digest."""
    key, token = issue()
    row = ApiKey.objects.values().get()
    secret = token.removeprefix(f"stt_{key.prefix}_")

    assert len(secret) >= 43  # 256 bits
    assert not [value for value in row.values() if secret in str(value)]
    assert str(key) == f"ana (stt_{key.prefix}_…)"


def test_a_key_is_good_until_it_expires() -> None:
    """To the moment; one that has expired may be given more time."""
    key, token = issue(expires=datetime.now(UTC) + timedelta(hours=1))
    fresh = access.find(token)
    ApiKey.objects.update(expires=datetime.now(UTC) - timedelta(seconds=1))
    expired, still_good = access.find(token), access.good([str(key.pk)])
    ApiKey.objects.update(expires=datetime.now(UTC) + timedelta(hours=1))

    assert (fresh is not None, expired, still_good) == (True, None, {})
    assert access.find(token) == fresh


def test_a_revoked_key_stays_revoked() -> None:
    """Since the first time; others are not touched."""
    (key, token), (_, other) = issue(), issue("bea")
    mine = ApiKey.objects.filter(pk=key.pk)
    counts = access.revoke(mine), access.revoke(mine)

    assert counts == (1, 0)
    assert (access.find(token), access.good([str(key.pk)])) == (None, {})
    assert access.find(other)


def test_those_that_are_good_are_told_apart() -> None:
    (good, _), (revoked, _), (unlimited, _) = issue(minutes_a_day=5), issue("bea"), issue("caio")
    access.revoke(ApiKey.objects.filter(pk=revoked.pk))
    found = access.good([str(key.pk) for key in (good, revoked, unlimited)] + ["999"])

    assert {key_id: key.minutes_a_day for key_id, key in found.items()} == {str(good.pk): 5, str(unlimited.pk): None}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"max_sessions": 0}, "max_sessions"),
        ({"minutes_a_day": -1}, "minutes_a_day"),
        ({"expires": datetime(2020, 1, 1, tzinfo=UTC)}, "expires"),
    ],
)
def test_limits_that_mean_nothing_are_refused_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        issue(**{"name": "ana"} | fields)

    assert set(refused.value.message_dict) == {named}
    assert not ApiKey.objects.exists()


def test_when_a_key_was_last_used_is_kept_to_the_minute() -> None:
    """Not written again for each handshake; nor for a key that is gone."""
    key, token = issue()
    found = access.find(token)
    access.used(found)()
    first = ApiKey.objects.get().last_used
    access.used(found)()
    again = ApiKey.objects.get().last_used
    ApiKey.objects.update(last_used=first - timedelta(minutes=2))
    access.used(found)()
    later = ApiKey.objects.get().last_used
    key.delete()
    access.used(found)()

    assert first == again < later


def test_a_connection_that_has_broken_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was restarted answers the next handshake; one that is away fails it."""
    _, token = issue()
    plain, broken = QuerySet.__iter__, [OperationalError("server closed the connection")]

    def iterate(rows: QuerySet) -> object:
        if broken:
            raise broken.pop()
        return plain(rows)

    monkeypatch.setattr(access.connection, "close", lambda: None)  # the test's own, with its data
    monkeypatch.setattr(QuerySet, "__iter__", iterate)
    assert access.find(token)
    broken += [OperationalError("gone"), OperationalError("gone")]
    with pytest.raises(OperationalError):
        access.find(token)


def test_a_key_s_end_leaves_its_sessions() -> None:
    """They keep its name."""
    key, _ = issue()
    Session.objects.create(
        uid="u", session_id="s", api_key=key, api_key_name="ana", language="pt", sample_rate=16_000,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    key.delete()

    assert Session.objects.values_list("api_key", "api_key_name").get() == (None, "ana")


def test_the_commands_make_a_key_and_revoke_it(capsys: pytest.CaptureFixture) -> None:
    """The key alone is on stdout, for a script; it is revoked by how it begins, however much of it is given."""
    call_command("createapikey", "ana", "--expires-days=1", "--max-sessions=2", "--minutes-a-day=60")
    printed = capsys.readouterr()
    token = printed.out.strip()
    key = ApiKey.objects.get()
    found = access.find(token)
    for prefix in (f"stt_{key.prefix}_", key.prefix):
        call_command("revokeapikey", prefix)

    assert found == Key(str(key.pk), "ana", 2, 60)
    assert timedelta(hours=23) < key.expires - datetime.now(UTC) <= timedelta(days=1)
    assert "ana" in printed.err
    assert token not in printed.err
    assert [line.rpartition(") ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "is revoked.",
        "was revoked before.",
    ]
    assert access.find(token) is None


def test_revoking_what_there_is_not_is_told() -> None:
    with pytest.raises(CommandError, match="No API key begins like this"):
        call_command("revokeapikey", "000000000000")


@pytest.fixture
def login() -> Callable[..., Client]:
    """A client for a member of staff with these permissions over keys, or for a superuser."""

    def login(*permissions: str) -> Client:
        user = User.objects.create_user("staff", is_staff=True, is_superuser=not permissions)
        user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_apikey" for name in permissions]))
        client = Client()
        client.force_login(user)
        return client

    return login


def test_the_admin_shows_a_new_key_once(login: Callable[..., Client]) -> None:
    """In the answer itself: no cookie, no list, no page of it has it again."""
    client = login()
    made = client.post(f"{KEYS}add/", {"name": "ana", "minutes_a_day": "60"})
    key = ApiKey.objects.get()
    (token,) = [word for word in made.content.decode().replace("<", " ").replace(">", " ").split() if "stt_" in word]
    pages = [client.get(url).content.decode() for url in (KEYS, f"{KEYS}{key.pk}/change/", f"{KEYS}{key.pk}/history/")]

    assert access.find(token) == Key(str(key.pk), "ana", None, 60)
    assert not [page for page in pages if token in page]
    assert token not in str(client.cookies)
    assert f"stt_{key.prefix}_…" in pages[0]


def test_the_admin_edits_limits_and_not_the_key(login: Callable[..., Client]) -> None:
    """What a form sends besides is nobody's business."""
    key, token = issue()
    login().post(f"{KEYS}{key.pk}/change/", {"name": "bea", "max_sessions": "3", "digest": "0" * 64, "revoked": "now"})
    key.refresh_from_db()

    assert (key.name, key.max_sessions, key.revoked) == ("bea", 3, None)
    assert access.find(token)


@pytest.mark.parametrize(("permissions", "revoked"), [(("view", "change"), True), (("view",), False)])
def test_who_may_change_keys_may_revoke_them(
    login: Callable[..., Client], permissions: tuple[str, ...], revoked: bool
) -> None:
    key, token = issue()
    login(*permissions).post(KEYS, {"action": "revoke", "_selected_action": [key.pk]})

    assert (access.find(token) is None) is revoked


def test_the_list_tells_what_a_key_is_good_for(login: Callable[..., Client]) -> None:
    issue("good")
    expired, _ = issue("expired one")
    ApiKey.objects.filter(pk=expired.pk).update(expires=datetime.now(UTC) - timedelta(days=1))
    gone, _ = issue("revoked one")
    access.revoke(ApiKey.objects.filter(pk=gone.pk))
    page = login("view").get(KEYS).content.decode()

    assert [page.count(f'class="field-state">{state}<') for state in ("good", "expired", "revoked")] == [1, 1, 1]
