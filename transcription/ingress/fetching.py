"""Recordings from addresses that clients name: from the public internet, and from nowhere near this host.

Redirects are no way around `addresses.py`. Nothing is sent along but the request: no cookies, no proxy of the
environment.
"""

from collections.abc import AsyncGenerator

import aiohttp

from transcription.addresses import Networks, connector, is_forbidden

MOST_REDIRECTS = 5
CONNECT_S = 10.0
"""For the name's addresses and the connection, of each redirect."""
SILENT_S = 30.0
"""A server that sends nothing for so long is given up."""
PIECE = 65_536


class NotFetched(Exception):
    """The recording cannot be had; the message is fit for who asked for it."""


async def fetch(url: str, networks: Networks) -> AsyncGenerator[bytes, None]:
    """The bytes behind an address, read no faster than they are taken. Raises `NotFetched`.

    `networks`: private ones that are allowed.
    """
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=SILENT_S)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector(networks),
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.get(url, max_redirects=MOST_REDIRECTS, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                raise NotFetched(f"url: the server there answered {response.status}")
            async for piece in response.content.iter_chunked(PIECE):
                yield piece
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise NotFetched(f"url: {_why(error)}") from None


def _why(error: BaseException) -> str:
    """In few words, without what lies behind the address."""
    if is_forbidden(error):
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
