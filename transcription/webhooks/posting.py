"""One request to an endpoint: signed, to allowed hosts and addresses alone, followed nowhere, never waited for long."""

import time
from collections.abc import Collection

import aiohttp

from transcription.addresses import Networks, connector, is_forbidden
from transcription.core.webhooks import is_allowed, signature

ANSWER_WITHIN_S = 10.0
"""For everything: the name, the connection, the request and the answer's beginning."""
USER_AGENT = "whisper-stt-webhooks"


async def post(
    url: str, secret: str, event_id: str, body: str, *, hosts: Collection[str], networks: Networks
) -> str | None:
    """Send an event; `None` when the endpoint has taken it (2xx), else why it has not, in few words.

    `hosts` are those of STT_WEBHOOK_HOSTS, `networks` private ones that are allowed.
    """
    try:
        if not is_allowed(url, hosts):
            return "its host is not among STT_WEBHOOK_HOSTS"
        headers = _headers(secret, event_id, body, int(time.time()))
        async with (
            aiohttp.ClientSession(
                connector=connector(networks),
                timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as response,
        ):
            return _verdict(response.status)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return _why(error)


def _headers(secret: str, event_id: str, body: str, now: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, event_id, now, body),
    }


def _verdict(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return f"it answered {status}{', and redirects are not followed' if 300 <= status < 400 else ''}"


def _why(error: BaseException) -> str:
    if is_forbidden(error):
        return "its address is private, and in no network of STT_WEBHOOK_NETWORKS"
    match error:
        case TimeoutError():
            return f"no answer within {ANSWER_WITHIN_S:g} s"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its certificate is not to be trusted, or it does not speak TLS"
        case aiohttp.ClientConnectorError():
            return "it cannot be connected to"
        case ValueError():
            return "its address or its secret is none"
    return "the connection was broken off"
