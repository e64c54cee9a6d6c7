"""Where Redis is: one server, or whichever of several Sentinel takes for the master. Both give clients of themselves.

For one server a URL of redis-py's is enough. Of Sentinel it has none, and Celery, channels_redis and redis-py each want
its parts in another form; here is the one place that knows them all.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

SCHEMES = ("redis://", "rediss://", "unix://")
SENTINEL_SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
SENTINEL_PORT = 26379
SENTINEL_TIMEOUT_S = 1.0
"""How long one sentinel is waited for before another is asked."""
TLS_OPTIONS = {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}
SENTINELS_OWN = {"sentinel_username", "sentinel_password"}

ESCAPES = "of a password # is written %23, / is %2F, @ is %40"
EXPECTED = (
    "expected redis://host:6379/0, rediss://… for TLS, unix:///path for a socket, or "
    "redis+sentinel://:password@host1:26379,host2:26379/mymaster/0 (rediss+sentinel://… for TLS)"
)


@dataclass(frozen=True, slots=True)
class OneServer:
    """A server at an address of its own."""

    url: str

    def client(self, **options: Any) -> redis.Redis:
        """A client with redis-py's options."""
        return redis.Redis.from_url(self.url, **options)

    def asynchronous(self, **options: Any) -> redis.asyncio.Redis:
        """The same for an event loop."""
        return redis.asyncio.Redis.from_url(self.url, **options)

    def broker(self, **options: Any) -> dict[str, Any]:
        """Celery's settings for it, with options of kombu's transport."""
        return {"broker_url": self.url, "broker_transport_options": options}

    def channels(self, **options: Any) -> dict[str, Any]:
        """A host of channels_redis."""
        return {"address": self.url, **options}


@dataclass(frozen=True, slots=True)
class Sentinels:
    """A master and its replicas, which sentinels watch: whoever connects asks them first who is the master."""

    hosts: tuple[tuple[str, int], ...]
    """The sentinels; those that do not answer are passed over."""
    master: str
    """The name by which they know the master."""
    server: dict[str, Any] = field(repr=False)
    """How to connect to the master: `db`, `username`, `password`, and with TLS `ssl` and its options."""
    own: dict[str, Any] = field(repr=False)
    """How to connect to a sentinel, in the same words."""

    def client(self, **options: Any) -> redis.Redis:
        """A client of the master with redis-py's options."""
        ask = Sentinel(self.hosts, sentinel_kwargs=self.own | {"retry": Retry(NoBackoff(), 0)})
        client: redis.Redis = ask.master_for(self.master, **self.server, **options)
        return client

    def asynchronous(self, **options: Any) -> redis.asyncio.Redis:
        """The same for an event loop."""
        ask = AsyncSentinel(self.hosts, sentinel_kwargs=self.own | {"retry": AsyncRetry(NoBackoff(), 0)})
        client: redis.asyncio.Redis = ask.master_for(self.master, **self.server, **options)
        return client

    def broker(self, **options: Any) -> dict[str, Any]:
        """Celery's settings for it, with options of kombu's transport."""
        name, password = (quote(self.server.get(part) or "", safe="") for part in ("username", "password"))
        places = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts]
        urls = [f"sentinel://{name}:{password}@{place}/{self.server['db']}" for place in places]
        own = self.own | {"retry": Retry(NoBackoff(), 0)}
        options |= {"master_name": self.master, "sentinel_kwargs": own}
        settings = {"broker_url": ";".join(urls), "broker_transport_options": options}
        tls = {option: value for option, value in self.server.items() if option in TLS_OPTIONS}
        # kombu takes an empty dict for no TLS
        return settings | ({"broker_use_ssl": {"ssl_cert_reqs": "required"} | tls} if self.server.get("ssl") else {})

    def channels(self, **options: Any) -> dict[str, Any]:
        """A host of channels_redis."""
        own = self.own | {"retry": AsyncRetry(NoBackoff(), 0)}
        return {
            "sentinels": self.hosts, "master_name": self.master, "sentinel_kwargs": own, **self.server, **options,
        }  # fmt: skip


def at(url: str) -> OneServer | Sentinels:
    """The server of a URL. Raises `ValueError` that says what was expected."""
    if url.startswith(SCHEMES):
        _check(url)
        return OneServer(url)
    if url.startswith(SENTINEL_SCHEMES):
        return _sentinels(url)
    raise ValueError(EXPECTED)


def _check(url: str) -> None:
    """That redis-py can connect to it. Raises `ValueError`, without the password that may be in the URL."""
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # connects with the first command
    except (ValueError, TypeError, redis.RedisError):
        raise ValueError(f"{EXPECTED}; {ESCAPES}") from None
    if not url.startswith("unix://") and not re.fullmatch(r"(/[0-9]*)?", urlsplit(url).path):
        raise ValueError(f"{EXPECTED}: a database's number after the host")  # redis-py would take 0


def _sentinels(url: str) -> Sentinels:
    # not by urlsplit: Pythons since 3.11.12 allow an address in brackets only in the first place
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    places, _, path = rest.partition("/")
    credentials, _, hosts = places.rpartition("@")
    master, _, db = path.strip("/").partition("/")
    if not master:
        raise ValueError("expected the master's name after the sentinels: redis+sentinel://host:26379/mymaster/0")
    if db and not db.isdigit():
        raise ValueError(f"expected a database's number after the master's name, got {db!r}")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(asked) - TLS_OPTIONS - SENTINELS_OWN):
        expected = ", ".join(sorted(TLS_OPTIONS | SENTINELS_OWN))
        raise ValueError(f"with Sentinel {', '.join(unknown)} is no option: expected of {expected}")
    # redis-py knows the types of its options
    plain = f"redis://{credentials}@host/{db or 0}?{urlencode({o: v for o, v in asked.items() if o in TLS_OPTIONS})}"
    options: dict[str, Any] = dict(parse_url(plain))
    options.pop("host")
    tls = {option: options[option] for option in TLS_OPTIONS & set(options)}
    if scheme == "rediss+sentinel":
        tls["ssl"] = options["ssl"] = True
    elif tls:
        raise ValueError(f"{', '.join(sorted(tls))} is for rediss+sentinel://")
    own = {option.removeprefix("sentinel_"): value for option, value in asked.items() if option in SENTINELS_OWN}
    timeouts = {"socket_timeout": SENTINEL_TIMEOUT_S, "socket_connect_timeout": SENTINEL_TIMEOUT_S}
    return Sentinels(tuple(map(_place, hosts.split(","))), unquote(master), {"db": 0} | options, own | timeouts | tls)


def _place(text: str) -> tuple[str, int]:
    try:
        place = urlsplit(f"//{text}")
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if not host:
        raise ValueError(f"expected sentinels as host:26379,host:26379, got {text!r}")
    return host, port or SENTINEL_PORT
