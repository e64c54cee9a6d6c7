"""Events noted with the records they tell of, and handed out: who gets what, when again, when no more."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django.fixtures import Settings

from transcription.audit import records, retention
from transcription.core.config import SessionConfig
from transcription.core.metadata import Metadata
from transcription.core.protocol import EndReason, FinalTranscript, Timing, Word
from transcription.core.session.effects import RecordClosed, RecordOpened, RecordSegment
from transcription.core.session.trace import Latency, SegmentTrace
from transcription.keys import access
from transcription.models import ApiKey, Delivery, Session, Webhook
from transcription.webhooks import queue

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]  # no collectstatic
TIMING = Timing(preprocess_ms=1, queue_wait_ms=1, inference_ms=1, postprocess_ms=1, server_total_ms=4)
TRACE = SegmentTrace(
    speech_end_ms=900, asked_ms=1, answered_ms=2, sent_ms=3, attempts=1, batch_size=1, partials=[],
    latency=Latency(vad_wait=1, queue=1, batch_wait=1, model=1, delivery=1),
)  # fmt: skip


def webhook(name: str = "crm", **fields: Any) -> Webhook:
    return Webhook.objects.create(name=name, url="https://hooks.example.com/", secret="whsec_AAAA", **fields)


def opened(uid: str = "u1", principal: Any = None) -> None:
    start = RecordOpened(f"call-{uid}", SessionConfig(language="pt"), Metadata(external_id="crm-1"))
    records.opened(uid, "10.0.0.1", principal, start).write()


def final(uid: str = "u1", number: int = 1, text: str = "boa tarde") -> records.Record:
    said = FinalTranscript(
        session_id=f"call-{uid}", segment_id=f"seg-{number:04}", text=text, confidence=0.9, audio_duration_ms=900,
        words=[Word(word=text, start=0, end=0.9, probability=0.9)], audio_start_ms=0, timing=TIMING,
        text_formatted=text, entities=[],
    )  # fmt: skip
    return records.segment(uid, RecordSegment(said, TRACE))


def closed(uid: str = "u1") -> records.Record:
    how = RecordClosed(EndReason.COMPLETED, 1000.0, 1, 0, (), resumable=False)
    return records.closed(uid, how)


def bodies(**fields: Any) -> list[dict[str, Any]]:
    return [
        json.loads(body) for body in Delivery.objects.filter(**fields).order_by("id").values_list("body", flat=True)
    ]


def test_a_final_and_an_end_are_noted_with_their_records() -> None:
    webhook()
    opened()
    final().write()
    closed().write()
    said, over = bodies()

    assert (said["type"], over["type"]) == ("segment.final", "session.closed")
    about = {"uid": "u1", "session_id": "call-u1", "external_id": "crm-1", "api_key": None, "language": "pt"}
    assert said["data"]["session"] == over["data"]["session"] == about
    assert said["data"]["transcript"]["text"] == "boa tarde"
    assert said["data"]["transcript"]["type"] == "final_transcript"
    assert (over["data"]["reason"], over["data"]["total_segments"]) == ("completed", 1)
    assert sorted(Delivery.objects.values_list("event_id", flat=True)) == ["msg_u1_closed", "msg_u1_seg-0001"]


def test_each_gets_what_it_asked_for_of_the_sessions_it_may_know() -> None:
    """A webhook of one key hears of no other key's sessions, one that is switched off of none."""
    keys = [ApiKey(name=name) for name in ("a", "b")]
    for key in keys:
        access.issue(key)
    ours, theirs = (access.Key(str(key.pk), key.name, None, None) for key in keys)
    webhook("all")
    webhook("ends", segment_final=False)
    webhook("finals of a", session_closed=False, api_key=keys[0])
    webhook("off", active=False)
    for uid, principal in (("u1", ours), ("u2", theirs), ("u3", None)):
        opened(uid, principal)
        final(uid).write()
        closed(uid).write()
    told = {
        name: set(Delivery.objects.filter(webhook__name=name).values_list("event_id", flat=True))
        for name in Webhook.objects.values_list("name", flat=True)
    }

    everything = {f"msg_u{n}_{what}" for n in (1, 2, 3) for what in ("seg-0001", "closed")}
    assert told == {
        "all": everything,
        "ends": {event for event in everything if event.endswith("closed")},
        "finals of a": {"msg_u1_seg-0001"},
        "off": set(),
    }
    assert {body["data"]["session"]["api_key"] for body in bodies(webhook__name="all")} == {"a", "b", None}


def test_a_deleted_key_s_webhook_goes_with_it_and_hears_of_nobody_else() -> None:
    key = ApiKey(name="a")
    access.issue(key)
    webhook(api_key=key)
    key.delete()

    assert not Webhook.objects.exists()


def test_where_no_transcripts_are_kept_none_waits_in_the_queue(settings: Settings) -> None:
    settings.STT = settings.STT.model_copy(update={"store_transcripts": False})
    webhook()
    opened()
    final(text="meu segredo").write()
    (said,) = bodies()

    assert "segredo" not in str(said)
    assert said["data"]["texts"] is False
    assert said["data"]["transcript"]["audio_duration_ms"] == 900


def test_what_the_database_refuses_of_a_final_is_not_told_either() -> None:
    """The record that is written in its place has no text."""
    webhook()
    opened()
    record = final(text="refused")
    assert record.instead
    record.instead()

    assert "refused" not in str(bodies())


def test_a_record_written_twice_is_one_event() -> None:
    """Its first answer was lost, or it was delivered meanwhile: the id is the same."""
    webhook()
    opened()
    closed().write()
    closed().write()
    (event,) = Delivery.objects.all()
    event.delete()
    closed().write()

    assert [event.event_id] == list(Delivery.objects.values_list("event_id", flat=True))


def waiting(count: int = 1, **fields: Any) -> Webhook:
    one = webhook(**fields)
    if not Session.objects.exists():
        opened()
    for number in range(count):
        final(number=number + 1).write()
    return one


def test_an_event_is_handed_out_once_at_a_time_and_again_when_its_taker_has_died() -> None:
    waiting()
    now = datetime.now(UTC)
    first = queue.take({}, now)
    none = queue.take({}, now + timedelta(seconds=queue.LEASE_S - 1))
    again = queue.take({}, now + timedelta(seconds=queue.LEASE_S + 1))

    assert [attempt.attempts for attempt in first] == [1]
    assert none == []
    assert [(attempt.event_id, attempt.attempts) for attempt in again] == [("msg_u1_seg-0001", 2)]


def test_no_endpoint_has_more_than_its_share_in_hand_and_none_waits_for_another() -> None:
    waiting(queue.AT_ONCE + 3)
    hangs = Webhook.objects.get()
    opened("u2")
    webhook("other")
    final("u2").write()
    now = datetime.now(UTC)
    taken = queue.take({hangs.pk: 1}, now)
    by_webhook = [attempt.webhook for attempt in taken]

    assert by_webhook.count(hangs.pk) == queue.AT_ONCE - 1
    assert [attempt.event_id for attempt in taken if attempt.webhook != hangs.pk] == ["msg_u2_seg-0001"]
    assert queue.take({hangs.pk: queue.AT_ONCE}, now) == []


def test_what_is_taken_leaves_nothing_behind_but_a_count() -> None:
    one, now = waiting(), datetime.now(UTC)
    (attempt,) = queue.take({}, now)
    queue.delivered(attempt, now)
    one.refresh_from_db()

    assert not Delivery.objects.exists()
    assert (one.delivered, one.failed, one.last_delivered) == (1, 0, now)


def test_what_is_not_taken_comes_later_until_its_window_is_over_and_waits_for_somebody_then() -> None:
    """Sent again by hand it has its id, and a window of its own."""
    one, now = waiting(), datetime.now(UTC)
    (attempt,) = queue.take({}, now)
    over = [queue.failed(attempt, "it answered 500", now)]
    assert queue.take({}, now + timedelta(seconds=4)) == []
    (attempt,) = queue.take({}, now + timedelta(seconds=7))
    over.append(queue.failed(attempt, "x" * 1000, now + timedelta(days=1)))
    one.refresh_from_db()
    (listed,) = Delivery.objects.filter(given_up__isnull=False)

    assert over == [False, True]
    assert (one.failed, one.given_up, len(listed.failure)) == (2, 1, 200)
    assert queue.take({}, now + timedelta(days=2)) == []

    assert queue.send_again(Delivery.objects.all(), now + timedelta(days=3)) == 1
    (attempt,) = queue.take({}, now + timedelta(days=3))
    assert (attempt.event_id, attempt.attempts) == (listed.event_id, 1)
    assert not queue.failed(attempt, "again", now + timedelta(days=3))


def test_what_was_given_up_long_ago_is_forgotten() -> None:
    waiting(2)
    now = datetime.now(UTC)
    Delivery.objects.filter(event_id="msg_u1_seg-0001").update(given_up=now - timedelta(days=31))
    Delivery.objects.filter(event_id="msg_u1_seg-0002").update(given_up=now - timedelta(days=29))
    queue.forget(now)

    assert [*Delivery.objects.values_list("event_id", flat=True)] == ["msg_u1_seg-0002"]


def test_erasing_a_session_leaves_nothing_in_the_queue_and_what_is_under_way_does_not_come_back() -> None:
    waiting()
    now = datetime.now(UTC)
    (attempt,) = queue.take({}, now)
    retention.delete(Session.objects.all())
    queue.failed(attempt, "it answered 500", now)

    assert not Delivery.objects.exists()


class TestAdmin:
    """What an operator does."""

    @pytest.fixture
    def browser(self, admin_client: Client, settings: Settings) -> Client:
        settings.STT = settings.STT.model_copy(update={"webhook_hosts": ["hooks.example.com"]})
        return admin_client

    def add(self, browser: Client, url: str) -> str:
        form = {"name": "crm", "url": url, "segment_final": "on", "session_closed": "on", "active": "on"}
        return browser.post("/admin/transcription/webhook/add/", form).content.decode()

    def test_the_secret_is_shown_once(self, browser: Client) -> None:
        page = self.add(browser, "https://hooks.example.com/stt")
        made = Webhook.objects.get()
        later = browser.get(f"/admin/transcription/webhook/{made.pk}/change/").content.decode()

        assert made.secret.startswith("whsec_")
        assert made.secret in page
        assert made.secret not in later

    @pytest.mark.parametrize(
        "url", ["https://evil.example.com/", "http://hooks.example.com/", "hooks.example.com", "x:"]
    )
    def test_other_hosts_are_refused(self, browser: Client, url: str) -> None:
        page = self.add(browser, url)

        assert "errorlist" in page
        assert "xpected an address" in page
        assert not Webhook.objects.exists()

    def test_events_given_up_are_listed_without_what_was_said_and_sent_again(self, browser: Client) -> None:
        waiting()
        Delivery.objects.update(given_up=datetime.now(UTC), failure="it answered 500", attempts=9)
        (event,) = Delivery.objects.all()
        pages = [
            browser.get(f"/admin/transcription/delivery/{page}").content.decode()
            for page in ("?state=given_up", "?state=waiting", f"{event.pk}/change/")
        ]
        chosen = {"action": "send_again", "_selected_action": [event.pk]}
        told = browser.post("/admin/transcription/delivery/", chosen, follow=True).content.decode()
        event.refresh_from_db()

        assert ["it answered 500" in page for page in pages] == [True, False, True]
        assert "boa tarde" not in "".join(pages)
        assert "1 event is sent again." in told
        assert (event.given_up, event.attempts) == (None, 0)

    def test_who_may_only_look_cannot_send_again(self, client: Client, django_user_model: Any) -> None:
        waiting()
        Delivery.objects.update(given_up=datetime.now(UTC))
        clerk = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_delivery"))
        client.force_login(clerk)
        chosen = {"action": "send_again", "_selected_action": [Delivery.objects.get().pk]}
        client.post("/admin/transcription/delivery/", chosen)

        assert Delivery.objects.get().given_up
