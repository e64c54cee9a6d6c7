"""The names of keys, spelt out once more: what processes of other versions call them."""

from fnmatch import fnmatchcase

import pytest

from transcription.core.contract import keyspace

NAMES = {
    "stt:sessions": keyspace.SESSIONS_KEY,
    "stt:starting": keyspace.STARTING_KEY,
    "stt:counters": keyspace.COUNTERS_KEY,
    "stt:shedding": keyspace.SHEDDING_KEY,
    "stt:workers": keyspace.WORKERS_KEY,
    "stt:worker:box-1-0a": keyspace.worker_key("box-1-0a"),
    "stt:session:call:1": keyspace.lease_key("call:1"),
    "stt:sessions:7": keyspace.key_sessions_key("7"),
    "stt:resume:call:1": keyspace.resume_key("call:1"),
    "stt:barred:key:7": keyspace.barred_key_key("7"),
    "stt:barred:session:call:1": keyspace.barred_session_key("call:1"),
    "stt:minutes:7:2026-01-31": keyspace.minutes_key("7", "2026-01-31"),
    "stt:audio:uid:seg-0001": keyspace.audio_key("uid", "seg-0001"),
    "stt:overtaken:uid:seg-0001": keyspace.overtaken_key("uid", "seg-0001"),
    "stt:index:uid": keyspace.index_key("uid"),
    "stt:claim:uid:seg-0001:f1": keyspace.claim_key("uid:seg-0001:f1"),
    "stt:result:uid:seg-0001:f1": keyspace.result_key("uid:seg-0001:f1"),
    "unacked": keyspace.UNACKED_KEY,
}


def test_names_do_not_change() -> None:
    """Two versions share one Redis during an upgrade."""
    assert [*NAMES.values()] == [*NAMES]
    assert keyspace.QUEUE_KEYS == ("stt", "stt:3", "stt:6", "stt:9")
    assert (keyspace.SESSIONS_GROUP, keyspace.group_name("uid")) == ("stt.sessions", "stt.session.uid")


@pytest.mark.parametrize("name", NAMES)
def test_each_is_of_one_family(name: str) -> None:
    """So that its lifetime and owners can be told."""
    assert sum(fnmatchcase(name, each.pattern) for each in keyspace.FAMILIES) == 1


@pytest.mark.parametrize("name", ["stt:audio", "stt:text:uid", "stt:4", "sessions"])
def test_other_names_are_of_none(name: str) -> None:
    """Not even where they begin alike."""
    assert keyspace.family(name) is None


@pytest.mark.parametrize(("window_s", "ttl_s"), [(0, 10), (0.2, 11), (30.0, 40)])
def test_what_may_be_resumed_outlives_the_lease_by_the_window(window_s: float, ttl_s: int) -> None:
    """Whole seconds, no less."""
    assert keyspace.resume_ttl_s(window_s) == ttl_s


def test_a_session_is_erased_by_its_index() -> None:
    """What is noted of a segment and of its finals names all their keys; beside them lie the state and the index."""
    noted = [keyspace.audio_key("uid", "seg-0001"), "uid:seg-0001:f1"]
    entries = [keyspace.index_entry(name) for name in noted]

    assert entries == [("stt:index:uid", "seg-0001"), ("stt:index:uid", "seg-0001:f1")]
    assert set(keyspace.session_keys("uid", "call", [entry for _, entry in entries])) == {
        "stt:resume:call", "stt:index:uid", "stt:audio:uid:seg-0001", "stt:before:uid:seg-0001",
        "stt:overtaken:uid:seg-0001", "stt:claim:uid:seg-0001:f1", "stt:result:uid:seg-0001:f1",
    }  # fmt: skip
