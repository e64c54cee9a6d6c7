"""Who may open which page of the admin, and what a request has to be before it changes anything."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from transcription.audit import actions, barring, pages, retention
from transcription.core.contract import keyspace
from transcription.models import Segment, Session

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]  # no collectstatic
ADMIN = "/admin/transcription/"
SESSIONS = f"{ADMIN}session/"
PAGES = {
    "session/": "view_session",
    "session/{pk}/change/": "view_session",
    "session/{pk}/export/json": "view_session",
    "session/{pk}/export/srt": "view_session view_transcript",
    "session/{pk}/cancel/": "cancel_session",
    "session/{pk}/erase/": "erase_session",
    "session/workers/": "view_session",
    "session/live/": "watch_session",
    "segment/": "view_segment",
}
"""With what they need."""
EVERY = {permission for needed in PAGES.values() for permission in needed.split()}


@pytest.fixture(autouse=True)
def use_valkey(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (actions, pages, retention):
        monkeypatch.setattr(module, "probe_client", lambda: valkey)


@pytest.fixture
def session() -> Session:
    """A live one, as far as its record says."""
    now = datetime.now(UTC)
    session = Session.objects.create(
        uid="u1", session_id='call"1"/../x', language="pt", sample_rate=16_000, started_at=now
    )  # fmt: skip
    Segment.objects.create(
        session=session, segment_id="seg-0001", start_ms=0, duration_ms=1, text="segredo", created_at=now
    )
    return session


@pytest.fixture
def login() -> Callable[..., Client]:
    """A client for a member of staff with these permissions."""

    def login(*permissions: str, **options: Any) -> Client:
        user = User.objects.create_user(f"user {User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client(**options)
        client.force_login(user)
        return client

    return login


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_its_permission_and_no_other(login: Callable[..., Client], session: Session, page: str) -> None:
    """All others together do not open it."""
    url, needed = ADMIN + page.format(pk=session.pk), PAGES[page].split()
    statuses = [
        login(*permissions).get(url).status_code for permissions in (needed, *(EVERY - {each} for each in needed))
    ]

    assert statuses == [200, *[403] * len(needed)]


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_page_without_a_login(client: Client, session: Session, page: str) -> None:
    """Nor one who is no staff."""
    client.force_login(User.objects.create_user("plain"))
    for visitor in (Client(), client):
        response = visitor.get(ADMIN + page.format(pk=session.pk))

        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("action", ["cancel", "erase"])
def test_to_look_at_a_button_does_not_press_it(
    login: Callable[..., Client], session: Session, valkey: redis.Redis, action: str
) -> None:
    """A link that is followed asks; other methods, and forms of other sites, do not even ask."""
    valkey.set(keyspace.lease_key(session.session_id), session.uid)
    url = f"{SESSIONS}{session.pk}/{action}/"
    client = login(*EVERY, enforce_csrf_checks=True)
    statuses = [client.generic(method, url).status_code for method in ("GET", "HEAD", "PUT", "DELETE", "POST")]

    assert statuses == [200, 405, 403, 403, 403]
    assert (Session.objects.count(), LogEntry.objects.count()) == (1, 0)


def test_cancelling_tells_the_process_that_holds_the_session(
    login: Callable[..., Client], session: Session, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is noted."""
    told = list[str]()
    monkeypatch.setattr(actions, "cancel", lambda session: told.append(session.uid))
    valkey.set(keyspace.lease_key(session.session_id), session.uid)
    page = login(*EVERY).post(f"{SESSIONS}{session.pk}/cancel/", follow=True).content.decode()

    assert told == ["u1"]
    assert "is told to end" in page
    assert LogEntry.objects.get().change_message == "Cancelled."


def test_a_bar_is_lifted_by_who_may_cancel_and_by_pressing_the_button(
    login: Callable[..., Client], session: Session, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is followed lifts nothing, nor does the form of another site."""
    monkeypatch.setattr(barring, "probe_client", lambda: valkey)
    key = keyspace.barred_session_key(session.session_id)
    valkey.set(key, 1, ex=600)
    url, form = f"{SESSIONS}{session.pk}/lift/", {"bar": "session"}
    others = login(*(EVERY - {"cancel_session"}))
    shown = [client.get(f"{SESSIONS}{session.pk}/change/").content for client in (others, login(*EVERY))]
    refused = [
        others.post(url, form).status_code,
        login(*EVERY).get(url).status_code,
        login(*EVERY, enforce_csrf_checks=True).post(url, form).status_code,
    ]
    still = valkey.exists(key)
    login(*EVERY).post(url, form)

    assert [b"barred for another 10 min" in page for page in shown] == [False, True]
    assert (refused, still, valkey.exists(key)) == ([403, 405, 403], 1, 0)
    assert LogEntry.objects.get().change_message == "The bar on its session id is lifted."


@pytest.mark.parametrize("page", ["change/", "export/json", "cancel/", "erase/"])
def test_a_session_that_is_not_there_is_not_found(login: Callable[..., Client], page: str) -> None:
    """Erased meanwhile, perhaps."""
    response = login(*EVERY).get(f"{SESSIONS}999/{page}")

    assert response.status_code == (302 if page == "change/" else 404)


def test_a_session_s_name_is_no_path_and_no_header(login: Callable[..., Client], session: Session) -> None:
    """Exports are not kept by caches."""
    response = login(*EVERY).get(f"{SESSIONS}{session.pk}/export/txt")

    assert response["Content-Disposition"] == 'attachment; filename="call_1__.._x.txt"'
    assert "no-store" in response["Cache-Control"]


def test_the_log_says_whether_an_export_had_transcripts(login: Callable[..., Client], session: Session) -> None:
    login("view_session").get(f"{SESSIONS}{session.pk}/export/json")
    login("view_session", "view_transcript").get(f"{SESSIONS}{session.pk}/export/json")

    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Exported as json, without transcripts.",
        "Exported as json.",
    ]
