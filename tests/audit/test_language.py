"""The admin in its reader's language and time: no page of ours keeps an English word, and programs notice nothing."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import translation
from pytest_django.fixtures import Settings

from tests.audit.test_pages import STARTED, record, use_redis
from tests.cluster.workers import announce
from transcription.audit import live
from transcription.models import ApiKey, Segment, Session

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]  # no collectstatic
ADMIN = "/admin/"
SESSIONS = "/admin/transcription/session/"
OTHERS = re.compile(r"^/admin/(auth|axes|password_change|logout|jsi18n|r)/")
"""Pages of Django and of axes, which bring catalogues of their own."""
MARK = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[^\W\d_]{2,}")
DATA = re.compile(
    r"call-\d+|seg-\d+|QQ\w*|stt_\w+…?|INVALID_MESSAGE|INFERENCE_ERROR|VALUE\w*|[0-9a-f]{32}|[\d.,:]+ (ms|min)\b|\bms\b"
    r"|\b(pt|UTC|JSON|SRT|VTT|TXT|CSV|Whisper STT|Axes|chefe|abracadabra|tiny|cpu|int8|Authorization: Bearer|p\d\d)\b"
)
"""What the tests put in, units, names of formats and fields that are the same in every language."""
OF_A_KIND = 30
"""Pages that differ by a number, or by what a list is narrowed to: more than one list has filters."""
SAME = {
    "uid", "worker", "workers", "Workers", "threads", "UTC", "%(full_result_count)s total", "final p50, ms",
    "final p95, ms", "webhook", "webhooks", "segment.final", "session.closed",
}  # fmt: skip
"""Words that are Portuguese as they are, and names of events."""
SHOWN = ("title", "aria-label", "placeholder")


class Reader(HTMLParser):
    """What a page shows or says: texts, names of things, links."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.said += [given[name] for name in SHOWN if name in given]
        if tag == "input" and given.get("type") in {"submit", "button"}:
            self.said.append(given.get("value", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in {"script", "style", "pre", "code"}:
            # of scripts what they are given to say
            self._open.append("json" if given.get("type") == "application/json" else tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "pre", "code"} and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["json"]:
            self.said += map(str, msgspec.json.decode(data).values())
        elif not self._open:
            self.said.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def unmarked(page: str) -> list[str]:
    """What of a page has not gone through a catalogue."""
    found = []
    for said in read(page).said:
        left = said
        while MARK.search(left):  # the innermost first
            left = MARK.sub(" ", left)
        if WORD.search(DATA.sub(" ", left)):
            found.append(said.strip())
    return found


@pytest.fixture(autouse=True)
def redis_there(settings: Settings, valkey: redis.Redis, valkey_url: str) -> None:
    use_redis(settings, valkey_url)


@pytest.fixture
def marking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that has everything: what is asked of it comes back in brackets."""
    translation.gettext("")  # Django puts its functions in place at the first
    working = translation._trans

    def bracketed(name: str, message: int) -> None:
        original = getattr(working, name)
        monkeypatch.setattr(working, name, lambda *given: f"⟦{original(*given)}⟧" if given[message] else "")

    for name, message in (("gettext", 0), ("pgettext", 1), ("ngettext", 0), ("npgettext", 1)):
        bracketed(name, message)


@pytest.fixture
def rows(valkey: redis.Redis) -> Session:
    """What pages show: sessions that are over, lost and live, segments with troubles, keys, a worker."""
    for number, reason in enumerate(["completed", "cancelled", "error", "", ""], 1):
        session = record(number, reason=reason)
        valkey.set("stt:session:call-5", f"{5:032x}", ex=60)
    Segment.objects.filter(session=session).update(text="QQ", words=[])
    Segment.objects.filter(session=session, segment_id="seg-0002").update(
        failure="INFERENCE_ERROR", attempts=2, latency_ms=2000, dropped={"text": "QQ", "reason": "QQ", "score": 1}
    )
    Session.objects.update(api_key_name="QQ", language="pt", events=[{"t_ms": 5.0, "what": "VALUE", "times": 2}])
    ApiKey.objects.create(name="QQ", prefix="abc", digest="d", created=STARTED, revoked=STARTED)
    ApiKey.objects.create(name="QQ2", prefix="abd", digest="e", created=STARTED, expires=STARTED, last_used=STARTED)
    announce(valkey)
    return session


@pytest.fixture
def chief() -> Client:
    cache.clear()
    client = Client(headers={"accept-language": "pt-BR,pt;q=0.9,en;q=0.8"})
    client.force_login(User.objects.create_user("chefe", is_staff=True, is_superuser=True))
    return client


def crawled(client: Client) -> Iterator[tuple[str, str]]:
    """Every page that is reached by links from the admin's first; of those alike, such as sessions, a few."""
    queue, seen, alike = [ADMIN], {ADMIN}, Counter[object]()
    while queue:
        path = queue.pop(0)
        response = client.get(path, follow=True)
        if not response.get("Content-Type", "").startswith("text/html"):
            continue
        page = response.content.decode()
        yield path, page
        for link in read(page).links:
            found = urlsplit(urljoin(path, link))
            address = f"{found.path}?{found.query}" if found.query else found.path
            if found.netloc or address in seen or not found.path.startswith(ADMIN) or OTHERS.match(found.path):
                continue
            seen.add(address)
            kind = re.sub(r"\d+", "#", found.path), bool(found.query)
            alike[kind] += 1
            if alike[kind] <= OF_A_KIND:
                queue.append(address)


@pytest.mark.usefixtures("marking", "rows")
def test_no_page_of_ours_says_a_word_that_is_in_no_catalogue(chief: Client) -> None:
    """Found by following links, whatever pages there are; each that is reached is read."""
    pages = dict(crawled(chief))
    found = {text: path for path, page in pages.items() for text in unmarked(page)}

    assert found == {}
    for reached in ("live/", "workers/", "1/change", "1/erase/", "cancel/", "apikey/add/", "segment/"):
        assert any(reached.strip("/") in path for path in pages), reached


@pytest.mark.usefixtures("rows")
def test_all_that_our_pages_say_has_a_translation(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Django and axes too, whose names stand beside ours."""
    translation.gettext("")
    working, lacking = translation._trans, set[str]()
    original = working.gettext

    def noted(message: str) -> str:
        told = original(message)
        if told == message and translation.get_language() == "pt-br" and WORD.search(message):
            lacking.add(message)
        return told

    monkeypatch.setattr(working, "gettext", noted)
    assert len(list(crawled(chief))) > OF_A_KIND

    assert lacking <= SAME


@pytest.mark.usefixtures("marking")
def test_nor_does_what_is_answered_to_a_form(chief: Client, rows: Session, settings: Settings) -> None:
    """Keys that are made and revoked, sessions that are cancelled and erased; without Redis, too."""
    page = f"{SESSIONS}{rows.pk}"
    key = {"name": "QQ", "expires_0": "", "expires_1": "", "max_sessions": "", "minutes_a_day": ""}
    chosen = {"action": "revoke", "_selected_action": [key.pk for key in ApiKey.objects.all()]}
    answers = [
        chief.post("/admin/transcription/apikey/add/", key),
        chief.post("/admin/transcription/apikey/add/", key | {"expires_0": "2020-01-01", "expires_1": "00:00"}),
        chief.post("/admin/transcription/apikey/", chosen, follow=True),
        chief.post(f"{page}/cancel/", {"bar": "session", "minutes": "0"}),
        chief.post(f"{page}/cancel/", {"bar": "session", "minutes": "5"}, follow=True),
        chief.post(f"{page}/cancel/", {"bar": ""}, follow=True),
        chief.post(f"{page}/erase/", follow=True),
        chief.get(f"{page}/history/"),
        chief.post(f"{SESSIONS}{Session.objects.get(session_id='call-1').pk}/erase/", follow=True),
    ]
    use_redis(settings, "redis://127.0.0.1:9/0")
    answers += [chief.get(f"{page}/change/"), chief.get(f"{SESSIONS}?state=live"), chief.get(f"{SESSIONS}workers/")]
    told = [
        re.sub(r"Error \d+ connecting to \S+ Connection refused\.?|Connect call failed[^<]*|Error \d+[^<]*", "", text)
        for answer in answers
        for text in unmarked(answer.content.decode())
    ]

    assert all(answer.status_code == 200 for answer in answers)
    assert [text for text in told if WORD.search(DATA.sub(" ", MARK.sub(" ", text)))] == []


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("asked", "code", "said", "heading"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.5", "en", "pt-br", "concluída"),
        ("pt", "en", "pt-br", "concluída"),
        ("en-US,en;q=0.9", "pt-br", "en", "completed"),
        ("de", "en", "en", "completed"),
        ("de", "pt-br", "pt-br", "concluída"),
        ("", "pt-br", "pt-br", "concluída"),
    ],
)
def test_the_reader_s_language_else_the_installation_s(
    chief: Client, settings: Settings, asked: str, code: str, said: str, heading: str
) -> None:
    """Caches are told what the answer goes by."""
    settings.LANGUAGE_CODE = code
    response = chief.get(SESSIONS, headers={"accept-language": asked})
    page = response.content.decode()

    assert response["Content-Language"] == said
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in response["Vary"].split(",")}
    assert f'<html lang="{said}"' in page
    assert heading in page


def test_what_programs_read_is_the_same_for_all(chief: Client) -> None:
    """Before and after a page in Portuguese, in the same thread."""
    before = Client().get("/", headers={"accept-language": "en"})
    assert "Sessões" in chief.get(SESSIONS).content.decode()
    after = chief.get("/", headers={"accept-language": "pt-BR"})

    assert after.content == before.content
    assert "Content-Language" not in after
    assert "Accept-Language" not in after["Vary"]
    assert translation.get_language() == "en"


def test_times_are_of_the_time_zone_and_say_so(chief: Client, settings: Settings) -> None:
    """In lists and pages, as the reader writes dates; days are those of the time zone, too."""
    settings.TIME_ZONE = "America/Sao_Paulo"
    session = record(1)
    Session.objects.update(started_at="2026-04-01T01:15:00Z", ended_at="2026-04-01T01:17:00Z")
    pages = [SESSIONS, f"{SESSIONS}{session.pk}/change/"]
    portuguese = [chief.get(page).content.decode() for page in pages]
    english = [chief.get(page, headers={"accept-language": "en"}).content.decode() for page in pages]
    month = chief.get(f"{SESSIONS}?started_at__year=2026&started_at__month=3")
    days = month.context["cl"].dates()["choices"]

    assert all("31/03/2026 22:15 -03" in page for page in portuguese)
    assert all("March 31, 2026, 10:15 p.m. -03" in page for page in english)
    assert [day["title"] for day in days] == ["2026-03-31"]
    assert "call-1" in chief.get(f"{SESSIONS}{days[0]['link']}").content.decode()


def test_the_log_is_in_the_installation_s_language(chief: Client, settings: Settings, rows: Session) -> None:
    """Whoever does it: one reads it."""
    for code in ("en", "pt-br"):
        settings.LANGUAGE_CODE = code
        chief.get(f"{SESSIONS}{rows.pk}/export/json")
    notes = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))

    assert notes == ["Exported as json.", "Exportada como json."]


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("language=pt-br", "pt-br"),
        ("language=pt-BR", "pt-br"),
        ("language=en", "en"),
        ("language=xx", "en"),
        ("", "en"),
    ],
)
def test_the_live_page_s_socket_speaks_its_page_s_language(query: str, language: str) -> None:
    """What it asks for, if that is a language there is."""
    assert live.page_language({"query_string": query.encode()}) == language


def test_the_settings_are_those_of_the_environment() -> None:
    stt: Any = django_settings.STT

    assert (stt.language_code, stt.time_zone) == (django_settings.LANGUAGE_CODE, django_settings.TIME_ZONE)
