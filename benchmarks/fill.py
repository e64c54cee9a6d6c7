"""Fills the audit tables: `python -m benchmarks.fill --sessions 50000 --segments 1000000`.

Into `DATABASE_URL`, after its migrations; meant for a database of its own. Sessions lie over the year before today,
most end well, one in fifty has errors, one is very long. The same seed gives the same rows, on another day shifted.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 - needs the settings

from transcription.models import Segment, Session, Tag  # noqa: E402

NEWEST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LONGEST = 2_000
"""Segments of the one very long session."""
KEYS, DIALECTS = ["crm", "ivr", "mobile", "kiosk", ""], ["native", "native", "twilio", "deepgram"]
TAGS = ["sales", "vip"]
RARE = "xilofone"
"""A word that one body in a thousand has; the others are in most."""
WORDS = "vire a direita na avenida Paulista e siga por oitocentos metros até o número duzentos e dez por favor".split()
REASONS = ["completed"] * 90 + ["disconnected"] * 6 + ["timeout"] * 2 + ["cancelled", "error"]
BATCH = 5_000


def main() -> None:
    """Fill, and let the database take its statistics."""
    parser = argparse.ArgumentParser("python -m benchmarks.fill", description=__doc__)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - material, no secret
    counts = share(options.sessions, options.segments, rng)
    first = (Session.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
    with transaction.atomic():
        Session.objects.bulk_create((session(first + i, count, rng) for i, count in enumerate(counts)), BATCH)
    tagged = (Tag(session_id=first + i, name=TAGS[i % 6]) for i in range(options.sessions) if i % 6 < len(TAGS))
    with transaction.atomic():
        Tag.objects.bulk_create(tagged, BATCH)
    bodies = [body(rng) for _ in range(1_000)]
    bodies[0]["text"] += f" {RARE}"
    insert((segment(first + i, n, rng, bodies) for i, count in enumerate(counts) for n in range(count)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    sys.stdout.write(f"{Session.objects.count()} sessions, {Segment.objects.count()} segments\n")


def share(sessions: int, segments: int, rng: random.Random) -> list[int]:
    """How many segments each session has: few or many, one `LONGEST`, all together `segments`."""
    longest = min(LONGEST, segments // 2)
    weights = [rng.expovariate(1.0) for _ in range(sessions - 1)]
    counts = [int(weight / sum(weights) * (segments - longest)) for weight in weights]
    for i in range(segments - longest - sum(counts)):
        counts[i % len(counts)] += 1
    return [longest, *counts]


def session(pk: int, segments: int, rng: random.Random) -> Session:
    """One session's row."""
    started = NEWEST - timedelta(seconds=rng.random() * 365 * 86_400)
    audio_ms = segments * 6_000.0 + 3_000
    errors = rng.choice([1, 1, 2, 5]) if rng.random() < 0.02 else 0
    event = {"t_ms": audio_ms / 2, "what": "partial shed: queue full", "times": 3}
    return Session(
        pk=pk,
        uid=f"{rng.getrandbits(128):032x}",
        session_id=f"call-{pk:08}",
        external_id=f"CRM-{pk:08}",
        api_key_name=rng.choice(KEYS),
        dialect=rng.choice(DIALECTS),
        client=f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        language=rng.choice(["pt"] * 8 + ["en", "es"]),
        sample_rate=16_000,
        config={"language": "pt", "sample_rate": 16_000, "partial_results": True, "word_timestamps": True},
        started_at=started,
        ended_at=started + timedelta(milliseconds=audio_ms),
        reason=rng.choice(REASONS),
        total_audio_ms=audio_ms,
        total_segments=segments,
        errors=errors,
        worst_final_ms=round(rng.lognormvariate(6.4, 0.4), 1) if segments else None,
        events=[event] if errors else [],
    )


def body(rng: random.Random) -> dict[str, Any]:
    """What one final says and what it took, as columns; JSON is text already."""
    said = [rng.choice(WORDS) for _ in range(rng.randrange(3, 16))]
    words = [
        {"word": word, "start": i * 0.3, "end": i * 0.3 + 0.25, "probability": round(rng.betavariate(6, 1), 3)}
        for i, word in enumerate(said)
    ]
    latency = {
        "vad_wait": 300.0,
        "queue": round(rng.expovariate(1 / 20) + (1_000 if rng.random() < 0.02 else 0), 2),
        "batch_wait": round(rng.expovariate(1 / 15), 2),
        "model": round(rng.lognormvariate(4.6, 0.4), 2),
        "delivery": round(rng.expovariate(1 / 60), 2),
    }
    duration_ms = len(said) * 300.0
    partials = [[at, round(rng.lognormvariate(4.5, 0.4), 1), 12] for at in range(300, int(duration_ms), 300)]
    return {
        "duration_ms": duration_ms,
        "speech_end_ms": duration_ms - 500,
        "text": " ".join(said),
        "confidence": 0.9,
        "words": json.dumps(words, ensure_ascii=False),
        "timing": json.dumps({"queue_wait_ms": latency["queue"], "inference_ms": latency["model"]}),
        "latency_ms": round(sum(latency.values()), 2),
        "latency": json.dumps(latency),
        "partials": partials,
    }


def segment(session_pk: int, number: int, rng: random.Random, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """One segment's row."""
    said = dict(rng.choice(bodies))
    start_ms = number * 6_000.0
    partials = [[start_ms + at, took, chars] for at, took, chars in said["partials"]]
    failed = rng.random() < 0.002
    if failed:
        said |= {"text": "", "words": "[]", "confidence": 0.0}
    sent_ms = start_ms + said["speech_end_ms"] + said["latency_ms"]
    return said | {
        "session_id": session_pk,
        "segment_id": f"seg-{number + 1:04}",
        "start_ms": start_ms,
        "speech_end_ms": start_ms + said["speech_end_ms"],
        "asked_ms": sent_ms - 200,
        "answered_ms": sent_ms - 20,
        "sent_ms": sent_ms,
        "attempts": 1 if rng.random() > 0.003 else 2,
        "batch_size": rng.randrange(1, 9),
        "partials": json.dumps(partials),
        "failure": "No answer from the workers after 3 tries" if failed else "",
        "created_at": NEWEST,
    }


def insert(rows: Iterator[dict[str, Any]]) -> None:
    """By hand: a model instance a row would take the better part of the time."""
    columns = [field.get_attname() for field in Segment._meta.fields if not field.primary_key]
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {Segment._meta.db_table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
    pending: list[list[Any]] = []
    with transaction.atomic(), connection.cursor() as cursor:
        for row in rows:
            pending.append([row.get(column) for column in columns])
            if len(pending) == BATCH:
                cursor.executemany(statement, pending)
                pending.clear()
        cursor.executemany(statement, pending)


if __name__ == "__main__":
    main()
