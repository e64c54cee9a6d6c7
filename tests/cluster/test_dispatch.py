"""A job as a Celery message in a real Valkey: which list it is in, what it is known by, what it says."""

import json
from base64 import b64decode

import msgspec
import pytest
import redis.asyncio
from celery import Celery

from sttproject import celery
from transcription.cluster import dispatch, recovery
from transcription.cluster.outbox import BROKER_ERRORS
from transcription.cluster.recovery import Recovery
from transcription.core.contract import keyspace
from transcription.core.contract.jobs import TASK_NAME, Job, Kind

SETTINGS = ("broker_transport_options", "task_queues", "task_default_queue", "task_serializer", "task_ignore_result")


def job(kind: Kind, *, recorded: bool = False) -> Job:
    return Job(
        job_id=f"uid:seg-0001:{'recorded' if recorded else kind}", recorded=recorded, group="g",
        segment_id="seg-0001", kind=kind, audio_key="a", overtaken_key="o",
        number=1, start=0, end=None, language="pt", beam_size=1, word_timestamps=False, prefix="segredo",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def application(monkeypatch: pytest.MonkeyPatch, valkey_url: str) -> None:
    """One with the service's settings and a broker of the test's."""
    app = Celery("test", broker=valkey_url, set_as_current=False)
    app.conf.update({name: celery.app.conf[name] for name in SETTINGS})
    monkeypatch.setattr(dispatch, "current_app", app)


async def test_finals_have_a_list_of_their_own(valkey: redis.Redis) -> None:
    """Workers look there first; the message says which task is to do what, and its headers nothing of what was said."""
    for kind in Kind:
        await dispatch.publish(job(kind))
    await dispatch.publish(job(Kind.FINAL, recorded=True))
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
    await dispatch.publish(job(Kind.FINAL))
    await dispatch.publish(job(Kind.FINAL, recorded=True))
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


async def test_a_broker_that_takes_nothing_is_told(valkey: redis.Redis) -> None:
    """As an error of the broker's, which the outbox tries again."""
    await dispatch.publish(job(Kind.FINAL))
    valkey.config_set("maxmemory", 1)

    with pytest.raises(BROKER_ERRORS):
        await dispatch.publish(job(Kind.FINAL))
    assert valkey.llen(keyspace.QUEUE) == 1
