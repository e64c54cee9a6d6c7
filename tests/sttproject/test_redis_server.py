"""Where Redis is, in the forms that redis-py, Celery and channels_redis want it in."""

from typing import Any

import pytest
from channels_redis.utils import create_pool
from kombu import Connection
from kombu.transport.redis import SentinelChannel
from redis.asyncio.sentinel import SentinelManagedSSLConnection

from sttproject import env, redis_server

SENTINEL = "redis+sentinel://us%40er:p%3Aw%2F@s1:26380,s2,[fd00::3]:26379/my%2Fmaster/2"


def sentinels(url: str) -> redis_server.Sentinels:
    """Of a URL that must be Sentinel's."""
    found = redis_server.at(url)
    assert isinstance(found, redis_server.Sentinels)
    return found


def test_one_server_is_its_url() -> None:
    """As ever: nothing of it is read here."""
    server = redis_server.at("rediss://:secret@redis:6379/3?ssl_cert_reqs=none")
    kwargs = server.client(socket_timeout=2.0).get_connection_kwargs()

    assert (kwargs["host"], kwargs["db"], kwargs["password"], kwargs["socket_timeout"]) == ("redis", 3, "secret", 2.0)
    assert server.broker(sep=":")["broker_transport_options"] == {"sep": ":"}
    assert server.channels(socket_timeout=2.0) == {
        "address": "rediss://:secret@redis:6379/3?ssl_cert_reqs=none", "socket_timeout": 2.0,
    }  # fmt: skip


def test_sentinels_are_read_with_their_master() -> None:
    """Ports may be left out; names and passwords may have any characters."""
    found = sentinels(SENTINEL)

    assert found.hosts == (("s1", 26380), ("s2", 26379), ("fd00::3", 26379))
    assert found.master == "my/master"
    assert found.server == {"db": 2, "username": "us@er", "password": "p:w/"}
    assert sentinels("redis+sentinel://s1/mymaster").server == {"db": 0}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_client_asks_the_sentinels_for_its_master(asynchronous: bool) -> None:
    """With the master's credentials at the master, and the sentinels' own at the sentinels."""
    found = sentinels(f"{SENTINEL}?sentinel_username=watch&sentinel_password=dog")
    client: Any = found.asynchronous(socket_timeout=2.0) if asynchronous else found.client(socket_timeout=2.0)
    pool = client.connection_pool
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]

    assert pool.service_name == "my/master"
    assert [(one["host"], one["port"]) for one in asked] == list(found.hosts)
    assert {(one["username"], one["password"]) for one in asked} == {("watch", "dog")}
    assert {one["retry"].get_retries() for one in asked} == {0}
    kwargs = pool.connection_kwargs
    assert (kwargs["username"], kwargs["password"], kwargs["db"]) == ("us@er", "p:w/", 2)
    assert kwargs["socket_timeout"] == 2.0


def test_kombu_finds_every_sentinel_and_the_master(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its URLs it tries: it takes the credentials of that one."""
    monkeypatch.setattr(SentinelChannel, "__init__", lambda self, connection: None)
    settings = sentinels(f"{SENTINEL}?sentinel_password=dog").broker(sep=":")
    connection = Connection(settings["broker_url"], transport_options=settings["broker_transport_options"])

    assert len(connection.alt) == 3
    assert settings["broker_transport_options"]["sep"] == ":"
    assert settings["broker_transport_options"]["master_name"] == "my/master"
    assert settings["broker_transport_options"]["sentinel_kwargs"]["password"] == "dog"
    assert settings["broker_transport_options"]["sentinel_kwargs"]["retry"].get_retries() == 0
    assert "broker_use_ssl" not in settings
    for _ in connection.alt:
        assert (connection.userid, connection.password, connection.virtual_host) == ("us@er", "p:w/", "2")
        connection.switch(next(connection.cycle))


def test_tls_is_for_the_master_and_for_its_sentinels() -> None:
    """In all three libraries, and with their types."""
    found = sentinels("rediss+sentinel://:pw@s1/mymaster/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=false")
    pool = create_pool(found.channels())

    assert found.broker()["broker_use_ssl"] == {
        "ssl_cert_reqs": "required", "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False,
    }  # fmt: skip
    assert (found.own["ssl"], found.own["ssl_ca_certs"], found.own["ssl_check_hostname"]) == (True, "/ca.pem", False)
    assert {one.get_retry().get_retries() for one in pool.sentinel_manager.sentinels} == {0}
    assert pool.connection_class is SentinelManagedSSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://redis", "expected redis://host:6379/0"),
        ("redis://:hunter2#x@redis:6379/0", "# is written %23"),
        ("redis://redis:63790000/0", "expected redis://host:6379/0"),
        ("redis://redis:6379/0?timeout=3", "expected redis://host:6379/0"),
        ("rediss://redis:6379/0?ssl_cert_reqs=maybe", "expected redis://host:6379/0"),
        ("redis://redis:6379/stt", "a database's number after the host"),
        ("redis://redis:6379/1/2", "a database's number after the host"),
        ("redis+sentinel://s1:26379", "expected the master's name after the sentinels"),
        ("redis+sentinel:///mymaster/0", "expected sentinels as host:26379,host:26379, got ''"),
        ("redis+sentinel://s1:x/mymaster", "got 's1:x'"),
        ("redis+sentinel://s1,/mymaster", "got ''"),
        ("redis+sentinel://s1/mymaster/zero", "expected a database's number after the master's name, got 'zero'"),
        ("redis+sentinel://s1/mymaster?timeout=3", "with Sentinel timeout is no option: expected of sentinel_password"),
        ("redis+sentinel://s1/mymaster?ssl_ca_certs=/ca", "ssl_ca_certs is for rediss+sentinel://"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_setting_s_name(
    url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without its value, which may hold a password."""
    monkeypatch.setenv("STT_REDIS_URL", url)
    with pytest.raises(env.BadEnvironment) as told:
        env.load()

    assert "STT_REDIS_URL=***: " in str(told.value)
    assert "hunter2" not in str(told.value)
    assert expected in str(told.value)
