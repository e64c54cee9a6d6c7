"""A job as a Celery message in a real Valkey: which list it is in, what it is known by, what it says."""

import json
from base64 import b64decode
from typing import Any

import msgspec
import pytest
import redis.asyncio
from celery import Celery

from sttproject import celery
from transcription.cluster import recovery
from transcription.cluster.dispatch import publish
from transcription.cluster.recovery import Recovery
from transcription.core.contract import keyspace, tracing
from transcription.core.contract.jobs import TASK_NAME, Job, Kind
from transcription.core.contract.keyspace import queue_key

SETTINGS = ("broker_transport_options", "task_queues", "task_default_queue", "task_serializer", "task_ignore_result")


def job(kind: Kind, *, recorded: bool = False) -> Job:
    return Job(
        job_id=f"uid:seg-0001:{'recorded' if recorded else kind}", recorded=recorded, group="g",
        segment_id="seg-0001", kind=kind, audio_key="a", overtaken_key="o",
        number=1, start=0, end=None, language="pt", beam_size=1, word_timestamps=False, prefix="segredo",
    )  # fmt: skip


ALL = [job(Kind.PARTIAL), job(Kind.FINAL), job(Kind.FINAL, recorded=True)]


async def test_a_message_is_what_celery_sends(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis, valkey_url: str
) -> None:
    """Of any job, traced or not, but for what is new in each: field by field, and in the same list."""
    app = Celery("test", broker=valkey_url, set_as_current=False)
    app.conf.update({name: celery.app.conf[name] for name in SETTINGS})
    for about in ({}, {"uid": "uid", "traceparent": "00-1-2-01"}):
        for one in ALL:
            raw = msgspec.to_builtins(one)
            del raw["about"]
            headers: Any = {tracing.HEADER: about} if about else None
            app.signature(TASK_NAME, args=[raw]).apply_async(
                task_id=one.job_id, queue=keyspace.QUEUE, priority=one.priority, argsrepr="-", headers=headers
            )
        assert await publish(async_valkey, [msgspec.structs.replace(one, about=about) for one in ALL]) == [None] * 3
    lists = {key: [_opened(message) for message in valkey.lrange(key, 0, -1)] for key in keyspace.QUEUE_KEYS}

    assert [len(lists[queue_key(one.priority)]) for one in ALL] == [4, 4, 4]
    for ours, celerys, ours_before, celerys_before in filter(None, lists.values()):
        assert ours == celerys
        assert ours_before == celerys_before


def _opened(message: bytes) -> dict[str, Any]:
    """A message with its body read, without its tag, of which no two are the same, and what needs no saying: where
    results would go, and a header said twice."""
    told: dict[str, Any] = json.loads(message)
    told["body"] = json.loads(b64decode(told["body"]))
    told["properties"] = {"argsrepr": "-"} | told["properties"] | {"reply_to": ""}
    assert len(told["properties"].pop("delivery_tag")) == 36
    return told


async def test_finals_have_a_list_of_their_own(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """Workers look there first; the message says which task is to do what, and its headers nothing of what was said."""
    await publish(async_valkey, ALL)
    messages = {key: json.loads(valkey.lindex(key, 0)) for key in keyspace.QUEUE_KEYS if valkey.llen(key)}
    (arguments, *_) = json.loads(b64decode(messages[keyspace.QUEUE]["body"]))

    assert {key: message["headers"]["id"] for key, message in messages.items()} == {
        "stt": "uid:seg-0001:final",
        "stt:6": "uid:seg-0001:partial",
        "stt:9": "uid:seg-0001:recorded",
    }
    assert messages[keyspace.QUEUE]["headers"]["task"] == TASK_NAME
    assert msgspec.convert(arguments[0], Job) == job(Kind.FINAL)
    assert "segredo" not in json.dumps(messages[keyspace.QUEUE]["headers"])


async def test_a_final_in_its_list_is_found_there(
    async_valkey: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the script that asks what became of finals: it reads Celery's message."""
    monkeypatch.setattr(recovery, "GATHER_S", 0.0)
    told = list[recovery.JobStates]()
    await publish(async_valkey, ALL)
    asks = Recovery(async_valkey)
    asks.ask(("uid:seg-0001:final", "uid:seg-0001:recorded", "uid:seg-0002:final"), told.append)
    await asks._task

    assert told == [recovery.JobStates(lost=["uid:seg-0002:final"])]


def test_processes_of_two_versions_understand_each_other() -> None:
    """A worker of the version before does a recording's final as any other; that version's jobs are of no recording."""
    new = msgspec.to_builtins(job(Kind.FINAL, recorded=True))
    old = {name: value for name, value in new.items() if name != "recorded"}

    assert msgspec.convert(old, Job) == msgspec.structs.replace(job(Kind.FINAL, recorded=True), recorded=False)
    assert msgspec.convert(new | {"added_later": 1}, Job).recorded


async def test_a_broker_that_takes_nothing_is_told(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """Of each job; nothing is raised."""
    valkey.config_set("maxmemory", 1)
    refused = await publish(async_valkey, ALL)
    valkey.config_set("maxmemory", 0)
    taken = await publish(async_valkey, ALL)

    assert [type(error) for error in refused] == [redis.exceptions.OutOfMemoryError] * 3
    assert taken == [None] * 3
    assert valkey.llen(keyspace.QUEUE) == 1


async def test_a_broker_that_is_away_is_told_of_each_job() -> None:
    nobody = redis.asyncio.Redis(port=1, retry=None)

    assert [type(error) for error in await publish(nobody, ALL)] == [redis.ConnectionError] * 3
