"""Bulk exports and erasures: in the background, by those with the right, after a restart too."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from pytest_django.fixtures import Settings

from harness.processes import free_port
from tests.audit.conftest import use_redis
from tests.audit.test_pages import SECRET, SESSIONS, record
from transcription.audit import actions, bulk, bulk_pages, retention, text_index
from transcription.audit.roles import AUDITORS, OPERATORS
from transcription.models import BulkJob, BulkPart, Segment, Session, Tag

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("redis_there"),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


def choose(client: Client, action: str, query: str = "") -> BulkJob:
    """All that the list shows, over all its pages."""
    chosen = {"action": action, "select_across": "1", "_selected_action": [str(Session.objects.latest("pk").pk)]}
    answer = client.post(f"{SESSIONS}{query}", chosen)
    assert answer.status_code == 302, answer.content.decode()[:500]
    job = BulkJob.objects.latest("pk")
    assert answer["Location"] == f"{SESSIONS}bulk/{job.pk}/"
    return job


def now() -> datetime:
    return datetime.now(UTC)


def run() -> None:
    while bulk.step(now()):
        pass


def unzipped(job: BulkJob) -> dict[str, dict]:
    async def whole() -> bytes:
        return b"".join([piece async for piece in bulk_pages.zipped(job)])

    with zipfile.ZipFile(io.BytesIO(async_to_sync(whole)())) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


@pytest.fixture
def many() -> list[Session]:
    """More than two steps of sessions, every third with a tag."""
    sessions = [record(number, segments=1) for number in range(1, 2 * bulk.STEP + 6)]
    Tag.objects.bulk_create(Tag(session=session, name="third") for session in sessions[::3])
    return sessions


def test_what_a_search_finds_is_exported(login: Callable[[str | None], Client], many: list[Session]) -> None:
    """All pages of it, with what was said; the log has who did it."""
    job = choose(login(OPERATORS), "export_many", "?tag=third")
    run()
    files = unzipped(job)

    assert len(files) == len(many[::3])
    assert files[f"call-1-{many[0].pk}.json"]["segments"][0]["text"] == f"{SECRET} <0>"
    assert files[f"call-1-{many[0].pk}.json"]["session"]["tags"] == ["third"]
    assert "Export of 15 sessions begun." in LogEntry.objects.latest("pk").change_message


def test_the_page_says_how_far_it_is(login: Callable[[str | None], Client], many: list[Session]) -> None:
    """Nothing to download before it is done."""
    client = login(OPERATORS)
    job = choose(client, "export_many")
    page = f"{SESSIONS}bulk/{job.pk}/"
    bulk.step(now())
    under_way, early = client.get(page).content.decode(), client.get(f"{page}zip")
    run()
    done = client.get(page).content.decode()

    assert f"{bulk.STEP} of {len(many)}" in under_way
    assert f'value="{bulk.STEP}" max="{len(many)}"' in under_way
    assert early["Location"] == page
    assert "Done." in done
    assert f"{page}zip" in done


def test_an_auditor_s_export_has_no_words_and_nothing_is_erased(
    login: Callable[[str | None], Client], many: list[Session]
) -> None:
    """The action is not offered, and does nothing when it is asked for all the same."""
    client = login(AUDITORS)
    job = choose(client, "export_many")
    run()
    page = client.get(SESSIONS).content.decode()
    client.post(SESSIONS, {"action": "erase_many", "_selected_action": [many[0].pk]})

    assert SECRET not in json.dumps(unzipped(job))
    assert "export_many" in page
    assert "erase_many" not in page
    assert BulkJob.objects.count() == 1


def test_an_erasure_is_confirmed_first_and_leaves_nothing(
    login: Callable[[str | None], Client], many: list[Session], valkey: redis.Redis
) -> None:
    """Rows, tags, index, what Redis has, what was exported before; others' stay; a live session is left out."""
    client = login(OPERATORS)
    export = choose(client, "export_many")
    run()
    live = many[0]
    valkey.set(f"stt:session:{live.session_id}", live.uid, ex=60)
    valkey.set(f"stt:audio:{many[3].uid}:seg-0001", b"pcm", ex=60)
    valkey.sadd(f"stt:index:{many[3].uid}", "seg-0001")
    job = choose(client, "erase_many", "?tag=third")
    run()
    untouched = Session.objects.count()
    asked = client.get(f"{SESSIONS}bulk/{job.pk}/").content.decode()
    client.post(f"{SESSIONS}bulk/{job.pk}/", {"confirm": "Erase"})
    run()
    job.refresh_from_db()
    gone = [session.pk for session in many[3::3]]

    assert untouched == len(many)
    assert "deleted for good" in asked
    assert (job.state, job.done, job.skipped) == ("done", 15, 1)
    assert Session.objects.count() == len(many) - len(gone)
    assert Session.objects.filter(pk=live.pk).exists()
    assert not Segment.objects.filter(session_id__in=gone).exists()
    assert not BulkPart.objects.filter(session_id__in=gone).exists()
    assert len(unzipped(export)) == len(many) - len(gone)
    assert Tag.objects.count() == 1
    assert not set(gone) & text_index.find(SECRET, None, None).keys()
    assert valkey.keys(f"*{many[3].uid}*") == []
    assert "Erasure of 15 sessions begun." in LogEntry.objects.latest("pk").change_message
    assert "call-" not in str(list(LogEntry.objects.values()))


def test_a_job_goes_on_where_a_process_that_died_was(many: list[Session]) -> None:
    """Its claim lapses; nothing is missing, nothing there twice."""
    owner = User.objects.create_superuser("boss")
    job = bulk.begin("export", owner.pk, Session.objects.order_by("pk"), now(), transcripts=True)
    bulk.step(now())
    # another one died amid its step: it has claimed the job, and has written what the job does not know of
    BulkJob.objects.update(claimed_until=now() + bulk.CLAIM)
    bulk._export(BulkJob.objects.get(), job.keys[bulk.STEP : bulk.STEP + 3])
    held = bulk.step(now())
    later = now() + bulk.CLAIM * 2
    while bulk.step(later):
        pass

    assert held is False
    assert len(unzipped(job)) == BulkPart.objects.count() == len(many)
    assert BulkJob.objects.get().state == "done"


def test_the_right_is_asked_again_with_every_step(many: list[Session]) -> None:
    """Whoever loses it amid a job has no more of it done."""
    owner = User.objects.create_superuser("boss")
    bulk.begin("erase", owner.pk, Session.objects.order_by("pk"), now(), transcripts=False)
    BulkJob.objects.update(state="waiting")
    bulk.step(now())
    User.objects.update(is_superuser=False)
    run()
    job = BulkJob.objects.get()

    assert (job.state, job.done) == ("stopped", bulk.STEP)
    assert "right" in job.trouble
    assert Session.objects.count() == len(many) - bulk.STEP


def test_a_job_is_its_owner_s_alone_and_can_be_stopped(
    login: Callable[[str | None], Client], many: list[Session]
) -> None:
    """Others find no such page, superusers neither; what is stopped is not gone on with."""
    client = login(OPERATORS)
    job = choose(client, "export_many")
    page = f"{SESSIONS}bulk/{job.pk}/"
    bulk.step(now())
    client.post(page, {"stop": "Stop"})
    run()
    job.refresh_from_db()

    assert (job.state, job.done) == ("stopped", bulk.STEP)
    assert login(None).get(page).status_code == 404
    assert login(AUDITORS).get(f"{page}zip").status_code == 404
    assert client.get(f"{page}zip").status_code == 302
    assert Client().get(page).status_code == 302, "to the login"


def test_without_redis_an_erasure_waits(many: list[Session], settings: Settings) -> None:
    """And says why; an export needs none."""
    use_redis(settings, f"redis://127.0.0.1:{free_port()}/0")
    owner = User.objects.create_superuser("boss")
    bulk.begin("erase", owner.pk, Session.objects.all(), now(), transcripts=False)
    BulkJob.objects.update(state="waiting")
    bulk.step(now())
    job = BulkJob.objects.get()

    assert (job.state, job.done) == ("waiting", 0)
    assert "Redis" in job.trouble
    assert Session.objects.count() == len(many)


def test_a_fault_stops_the_job_and_not_the_housekeeping(
    many: list[Session], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would meet it again with every step."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(actions, "as_json", fail)
    owner = User.objects.create_superuser("boss")
    bulk.begin("export", owner.pk, Session.objects.all(), now(), transcripts=True)
    call_command("housekeeping", "--once")

    assert BulkJob.objects.get().state == "stopped"
    assert "A bulk job is stopped" in caplog.text


def test_jobs_are_kept_for_a_day(many: list[Session]) -> None:
    owner = User.objects.create_superuser("boss")
    bulk.begin("export", owner.pk, Session.objects.all(), now() - bulk.KEPT - timedelta(hours=1), transcripts=True)
    call_command("housekeeping", "--once")
    run()

    assert not BulkJob.objects.exists()
    assert not BulkPart.objects.exists()


def test_a_purge_takes_what_was_exported_too(many: list[Session]) -> None:
    owner = User.objects.create_superuser("boss")
    bulk.begin("export", owner.pk, Session.objects.all(), now(), transcripts=True)
    run()
    retention.purge(now() + timedelta(days=500))

    assert not BulkPart.objects.exists()
