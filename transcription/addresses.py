"""Which addresses the service connects to when somebody names a URL: public ones, and networks that are allowed.

What a name resolves to is looked at where the socket for it is made, so that nothing can change in between.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from aiohttp.resolver import ThreadedResolver

Networks = Collection[IPv4Network | IPv6Network]
NAT64 = IPv6Network("64:ff9b::/96")


class Forbidden(OSError):
    """The address may not be connected to."""


def connector(networks: Networks) -> aiohttp.TCPConnector:
    """Makes connections to allowed addresses alone, each anew; any other raises `Forbidden`, wrapped by aiohttp.

    `networks`: private ones that are allowed.
    """
    return aiohttp.TCPConnector(
        socket_factory=_Sockets(networks), resolver=ThreadedResolver(), use_dns_cache=False, force_close=True
    )


def is_forbidden(error: BaseException) -> bool:
    """Whether a connection failed because its address is not allowed."""
    causes = [error, error.__cause__, getattr(error, "os_error", None)]
    return any(isinstance(cause, Forbidden) for cause in causes)


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
