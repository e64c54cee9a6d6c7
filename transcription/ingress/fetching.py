"""Recordings from addresses that clients name: from the public internet, and from nowhere near this host.

What an address's name resolves to is looked at where the socket for it is made, so that nothing can change in between,
and redirects are no way around it. Nothing is sent along but the request: no cookies, no proxy of the environment.
"""

import socket
from collections.abc import AsyncGenerator, Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from aiohttp.resolver import ThreadedResolver

MOST_REDIRECTS = 5
CONNECT_S = 10.0
"""For the name's addresses and the connection, of each redirect."""
SILENT_S = 30.0
"""A server that sends nothing for so long is given up."""
PIECE = 65_536

Networks = Collection[IPv4Network | IPv6Network]


class NotFetched(Exception):
    """The recording cannot be had; the message is fit for who asked for it."""


class Forbidden(OSError):
    """The address may not be connected to."""


async def fetch(url: str, networks: Networks) -> AsyncGenerator[bytes, None]:
    """The bytes behind an address, read no faster than they are taken. Raises `NotFetched`.

    `networks`: private ones that are allowed.
    """
    connector = aiohttp.TCPConnector(
        socket_factory=_Sockets(networks), resolver=ThreadedResolver(), use_dns_cache=False, force_close=True
    )
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=SILENT_S)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.get(url, max_redirects=MOST_REDIRECTS, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                raise NotFetched(f"url: the server there answered {response.status}")
            async for piece in response.content.iter_chunked(PIECE):
                yield piece
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise NotFetched(f"url: {_why(error)}") from None


class _Sockets:
    """Makes the sockets, for addresses that are allowed."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def __call__(self, info: tuple[Any, Any, int, str, Any]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not is_allowed(address[0], self._networks):
            raise Forbidden
        return socket.socket(family, kind, protocol)


def is_allowed(host: str, networks: Networks) -> bool:
    """Whether an address (not a name) is public, or in one of the networks.

    An IPv6 address that stands for an IPv4 one is looked at as that: behind NAT64 and 6to4 there is an IPv4 host too.
    """
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or _nat64(address)
        if inner:
            return is_allowed(str(inner), networks)
    listed = any(address.version == network.version and address in network for network in networks)
    return listed or (address.is_global and not address.is_multicast)


def _nat64(address: IPv6Address) -> Any:
    return ip_address(int(address) & 0xFFFF_FFFF) if address in NAT64 else None


NAT64 = IPv6Network("64:ff9b::/96")


def _why(error: BaseException) -> str:
    """In few words, without what lies behind the address."""
    causes = [error, error.__cause__, getattr(error, "os_error", None)]
    if any(isinstance(cause, Forbidden) for cause in causes):
        return "expected a public address"
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return "expected a whole address that begins with http:// or https://"
        case aiohttp.TooManyRedirects():
            return f"expected at most {MOST_REDIRECTS} redirects"
        case aiohttp.ClientConnectorDNSError():
            return "the server's name is not known"
        case TimeoutError():
            return "the server there does not answer in time"
        case aiohttp.ClientConnectorError():
            return "the server there cannot be connected to"
    return "the recording was broken off"
