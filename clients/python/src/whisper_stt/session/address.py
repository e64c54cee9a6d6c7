"""Where the service is and the key it is asked with, and what of them no message may hold."""

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from .errors import OptionError
from .words import _

WEBSOCKET_PORTS = {"ws": 80, "wss": 443}
_PAGES = {"ws": "http", "wss": "https"}
_SOCKET_PATH = "/ws/stt"
_CREDENTIALS = re.compile(r"(?<=//)\S*@")
_QUERY = re.compile(r"(?<=\?)\S*")


class Endpoint(NamedTuple):
    """A URL in parts."""

    scheme: str
    host: str
    """In ASCII; an IPv6 address without its brackets."""
    port: int
    netloc: str
    """Host and port as a URL has them, without a name or password."""
    path: str
    query: str
    user: str | None
    password: str


def endpoint(url: str, name: str, ports: dict[str, int]) -> Endpoint:
    """Take a URL apart.

    Args:
        url: the URL; it may hold secrets, so no message quotes it.
        name: what it is called where it is set.
        ports: the schemes that are expected, with their ports.

    Raises `OptionError`, which says what is wrong.
    """
    expected = _(" or ").join(f"{scheme}://host:port" for scheme in ports)
    url = url.strip()
    if " " in url or not url.isprintable():
        told = _("{name} holds a space, a line break or another character that no URL has: expected {expected}")
        raise OptionError(told.format(name=name, expected=expected))
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        told = _("{name} has no host that is a name or an address: expected {expected}")
        raise OptionError(told.format(name=name, expected=expected)) from None
    if parts.scheme not in ports:
        raise OptionError(_("{name} has another scheme: expected {expected}").format(name=name, expected=expected))
    if not host:
        raise OptionError(_("{name} has no host: expected {expected}").format(name=name, expected=expected))
    try:
        port = ports[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not 0 < port < 65_536:
        told = _("{name} has no port from 1 to 65535: expected {expected}")
        raise OptionError(told.format(name=name, expected=expected))
    netloc = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        netloc += f":{port}"
    user = None if parts.username is None else unquote(parts.username)
    path, query = quote(parts.path, safe="/%:@!$&'()*+,;=~"), quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    return Endpoint(parts.scheme, host, port, netloc, path, query, user, unquote(parts.password or ""))


class Address:
    """The service's WebSocket and the key it is asked with. Its `repr` and `str` hold no secret."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        """Check both.

        Args:
            url: `ws://…` or `wss://…`. A name and a password in it are sent by HTTP's basic authentication.
            api_key: sent as a bearer token, in place of these.

        Raises `OptionError`, which quotes neither.
        """
        _check_key(api_key)
        self.endpoint = at = endpoint(url, _("The service's URL (STT_URL)"), WEBSOCKET_PORTS)
        self.url = f"{at.scheme}://{at.netloc}{at.path or '/'}" + (f"?{at.query}" if at.query else "")
        """To be dialled: with its query, without a name or password."""
        self.headers: dict[str, str] = {}
        """Of the handshake."""
        basic = b64encode(f"{at.user}:{at.password}".encode()).decode()
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"
        elif at.user is not None:
            self.headers["Authorization"] = f"Basic {basic}"
        token = dict(parse_qsl(at.query)).get("token", "")
        self._secrets = {api_key or "", at.password, quote(at.password, safe=""), basic, token} - {""}

    def __repr__(self) -> str:
        at = self.endpoint
        return hide(f"{at.scheme}://{at.netloc}{at.path or '/'}")

    def page(self, path: str) -> str:
        """A page of the service (`/health/status`), under the path that its socket is under."""
        at = self.endpoint
        prefix = at.path.rpartition(_SOCKET_PATH)[0]
        return f"{_PAGES[at.scheme]}://{at.netloc}{prefix}{path}"

    def hide(self, text: object) -> str:
        """A text that others wrote, without what is secret here."""
        return hide(text, *self._secrets)


def hide(text: object, *secrets: str) -> str:
    """A text without the secrets, and without what URLs in it have before an @ or after a question mark."""
    told = str(text)
    for secret in sorted(secrets, key=len, reverse=True):
        told = told.replace(secret, "…")
    return " ".join(_hide_in_url(word) if "://" in word else word for word in told.split(" "))


def _hide_in_url(word: str) -> str:
    return _QUERY.sub("…", _CREDENTIALS.sub("…@", word))


def _check_key(api_key: str | None) -> None:
    if not api_key or (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        return
    if "\n" in api_key or "\r" in api_key:
        held = _("a line break")
    elif not api_key.isascii():
        held = _("a character that is not ASCII")
    else:
        held = _("a space or a control character")
    told = _("The API key (STT_API_KEY) holds {held}: expected visible ASCII characters only")
    raise OptionError(told.format(held=held))
