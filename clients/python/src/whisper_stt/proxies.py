"""The proxy that the environment, or the system, names for the service."""

import os
import urllib.request
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import quote

from whisper_stt.session.address import Endpoint, endpoint
from whisper_stt.session.words import _

PORTS = {"http": 80, "https": 443, "socks5h": 1080, "socks5": 1080, "socks4a": 1080, "socks4": 1080}


class Proxy(NamedTuple):
    """A way to the service."""

    url: str
    """With its password."""
    name: str
    """For messages: the address without the password, and where it was found."""
    socks: bool


def proxy_for(service: Endpoint) -> Proxy | None:
    """The proxy for a `ws` or `wss` address; none for this machine's, nor for what `no_proxy` lists.

    Of `wss_proxy`, `socks_proxy`, `https_proxy` and `all_proxy` the first counts, for `ws` of `ws_proxy`,
    `socks_proxy`, `https_proxy`, `http_proxy` and `all_proxy`. Raises `OptionError` for one that is no proxy's address.
    """
    if _is_this_machine(service.host):
        return None
    if any(map(urllib.request.proxy_bypass, (service.host, f"{service.host}:{service.port}"))):
        return None
    found = urllib.request.getproxies()
    plain = () if service.scheme == "wss" else ("http",)
    for kind in (service.scheme, "socks", "https", *plain, "all"):
        if value := found.get(kind):
            return _proxy(kind, value)
    return None


def _proxy(kind: str, value: str) -> Proxy:
    variable = f"{kind}_proxy"
    told = variable if any(name.lower() == variable for name in os.environ) else _("the system's settings")
    default = "socks5h" if kind == "socks" else "http"
    # Systems name a SOCKS proxy with `http://`, people any proxy without a scheme.
    if kind == "socks" and value.startswith("http://"):
        value = value.removeprefix("http://")
    at = endpoint(
        value if "://" in value else f"{default}://{value}", _("The proxy of {where}").format(where=told), PORTS
    )
    address = f"[{at.host}]:{at.port}" if ":" in at.host else f"{at.host}:{at.port}"
    user = "" if at.user is None else f"{quote(at.user, safe='')}:{quote(at.password, safe='')}@"
    name = _("the proxy {url} ({where})").format(url=f"{at.scheme}://{address}", where=told)
    return Proxy(f"{at.scheme}://{user}{address}", name, at.scheme.startswith("socks"))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
