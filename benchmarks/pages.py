"""How many queries and how long each page of the audit takes: `python -m benchmarks.pages`.

On the tables of `DATABASE_URL` (`python -m benchmarks.fill`). Every page is rendered whole, by Django's test client in
this process; the first request of each is thrown away. CPU is this process's, which with SQLite is all there is: on a
machine that does other things besides, it says what a page takes, where the other times say what the machine does.
"""

import argparse
import os
import statistics
import sys
import time
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - needs the settings
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from tabulate import tabulate  # noqa: E402

from transcription.audit import bulk  # noqa: E402
from transcription.models import Segment, Session  # noqa: E402

BUDGET_MS = 200.0
EXPORTED = 500


def pages() -> dict[str, str]:
    """Every kind of page, by what it shows."""
    sessions, segments = "/admin/transcription/session/", "/admin/transcription/segment/"
    newest = Session.objects.order_by("-started_at").first()
    longest = Session.objects.order_by("-total_segments").first()
    last = Segment.objects.order_by("-pk").first()
    assert newest and longest and last, "empty tables: python -m benchmarks.fill"
    day = newest.started_at
    return {
        "sessions": sessions,
        "sessions, page 2": f"{sessions}?p=2",
        "sessions, last page": f"{sessions}?p=200",
        "sessions, state error": f"{sessions}?state=error",
        "sessions, state live": f"{sessions}?state=live",
        "sessions with errors": f"{sessions}?had_errors=yes",
        "sessions without errors": f"{sessions}?had_errors=no",
        "sessions in es": f"{sessions}?language=es",
        "sessions of a month": f"{sessions}?started_at__year={day.year}&started_at__month={day.month}",
        "sessions of a day": f"{sessions}?{day:started_at__year=%Y&started_at__month=%m&started_at__day=%d}",
        "sessions with a tag": f"{sessions}?tag=vip",
        "sessions, by external id": f"{sessions}?external_id={newest.external_id}",
        "sessions, by address": f"{sessions}?client=10.0.7.",
        "sessions, by dates and latency": f"{sessions}?since={day:%Y-%m}-01&slower=1500",
        "sessions, said: a rare word": f"{sessions}?said=xilofone",
        "sessions, said: common words": f"{sessions}?said=avenida+paulista",
        "sessions, said: a word's beginning": f"{sessions}?said=oitoc",
        "sessions, said: common words in a month": f"{sessions}?said=avenida+paulista&since={day:%Y-%m}-01",
        "sessions, said: nothing": f"{sessions}?said=avenida+nobody",
        "home": "/admin/",
        "home, two months": "/admin/?days=62",
        "home, one key": "/admin/?key=crm",
        "usage as CSV": "/admin/usage.csv",
        "sessions, search by id": f"{sessions}?q={longest.session_id[:11]}",
        "sessions, search by uid": f"{sessions}?q={longest.uid}",
        "sessions, worst final first": f"{sessions}?o=-13",
        "sessions, longest first": f"{sessions}?o=-10",
        "one session": f"{sessions}{newest.pk}/change/",
        "the longest session": f"{sessions}{longest.pk}/change/",
        "the longest session, last page": f"{sessions}{longest.pk}/change/?p=9999",
        "the longest session, at a segment": f"{sessions}{longest.pk}/change/?segment=seg-1000",
        "segments": segments,
        "segments, last page": f"{segments}?p=200",
        "segments that failed": f"{segments}?trouble=failed",
        "segments tried again": f"{segments}?trouble=retried",
        "segments that were slow": f"{segments}?trouble=slow",
        "export of one session, SRT": f"{sessions}{newest.pk}/export/srt",
        "export of the longest session, JSON": f"{sessions}{longest.pk}/export/json",
        "workers": f"{sessions}workers/",
    }


def main() -> int:
    """Print the table; the exit status says whether every page, downloads left out, kept within the budget."""
    parser = argparse.ArgumentParser("python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--times", type=int, default=7, help="requests of each page")
    options = parser.parse_args()
    client = Client()
    user, _ = get_user_model().objects.get_or_create(username="pages", is_staff=True, is_superuser=True)
    client.force_login(user)
    rows, worst = [], 0.0
    for title, url in pages().items():
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url)
        assert response.status_code == 200, (title, response.status_code)
        count = len(queries)  # now: the next request resets them
        took, worked = zip(*(_ms(client, url) for _ in range(options.times)), strict=True)
        rows.append(
            [title, count, statistics.median(worked), min(took), statistics.median(took), len(response.content) / 1024]
        )
        if not title.startswith("export"):  # a download takes as long as it is large
            worst = max(worst, statistics.median(took))
    exported = export(user.pk)
    head = ["page", "queries", "CPU ms", "fastest ms", "median ms", "KiB"]
    sys.stdout.write(f"{connection.vendor}: {Session.objects.count()} sessions, {Segment.objects.count()} segments\n\n")
    sys.stdout.write(tabulate(rows, head, tablefmt="github", floatfmt=("", "", ".0f", ".0f", ".0f", ".0f")) + "\n")
    sys.stdout.write(f"\nbulk export: {exported:.0f} sessions a second\n")
    return 0 if worst <= BUDGET_MS else 1


def export(user_pk: int) -> float:
    """Sessions a second that a bulk export takes, of the newest; what it made is deleted again."""
    now = datetime.now(UTC)
    job = bulk.begin("export", user_pk, Session.objects.order_by("-started_at")[:EXPORTED], now, transcripts=True)
    began = time.perf_counter()
    while bulk.step(datetime.now(UTC)):
        pass
    took_s = time.perf_counter() - began
    job.parts.all().delete()
    job.delete()
    return len(job.keys) / took_s


def _ms(client: Client, url: str) -> tuple[float, float]:
    """One request: wall clock and CPU."""
    began, worked = time.perf_counter(), time.process_time()
    client.get(url)
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


if __name__ == "__main__":
    sys.exit(main())
