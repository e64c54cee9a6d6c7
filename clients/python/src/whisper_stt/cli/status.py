"""`whisper-stt status`."""

import argparse
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from whisper_stt.cli import Exit
from whisper_stt.cli.streams import say
from whisper_stt.connection import nobody_listens
from whisper_stt.errors import ConnectError, NobodyListensError, RefusedError, WhisperSttError
from whisper_stt.options import address
from whisper_stt.proxies import proxy_for
from whisper_stt.session.address import Address
from whisper_stt.session.words import _

TIMEOUT_S = 10.0


def status(arguments: argparse.Namespace) -> int:
    """Show `/health/status`; 0 when a session would be accepted now."""
    service = address(arguments.url)
    said = _fetch(service)
    if arguments.json:
        say(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    else:
        say(_told(said, service.page("/")))
    return Exit.OK if said.get("accepting_requests") else Exit.INCOMPLETE


def _fetch(service: Address) -> dict[str, Any]:
    page = service.page("/health/status")
    try:
        said = json.loads(_get(page, service))
    except ValueError:
        said = None
    if not isinstance(said, dict) or not said:
        raise ConnectError(_("{page} is not a page of Whisper STT").format(page=page))
    return said


def _get(page: str, service: Address) -> bytes:
    """The page, also of a service that is not ready."""
    proxy = proxy_for(service.endpoint)
    way = _("{address} through {proxy}").format(address=page, proxy=proxy.name) if proxy else page
    if proxy and proxy.socks:
        told = _("Cannot reach {way}: `status` goes by HTTP proxies only (no_proxy, http_proxy)")
        raise ConnectError(told.format(way=way))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({page.partition(":")[0]: proxy.url} if proxy else {})
    )
    request = urllib.request.Request(page)  # noqa: S310 - http or https
    for name, value in service.headers.items():
        request.add_unredirected_header(name, value)
    failure: WhisperSttError
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return error.read()
        failure = RefusedError(f"HTTP {error.code}", way)
        if error.code == 401:
            told = _("HTTP 401: {way} wants the service's STT_STATUS_TOKEN: set STT_API_KEY to it")
            failure = WhisperSttError(told.format(way=way))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        if nobody_listens(reason):
            failure = NobodyListensError(_("Cannot reach {way}: nothing listens there").format(way=way))
        else:
            why = service.hide(reason) or type(error).__name__
            failure = ConnectError(_("Cannot reach {way}: {reason}").format(way=way, reason=why))
    raise failure


def _told(said: dict[str, Any], where: str) -> str:
    """The same in words, as far as the service says it: other versions say more, or less."""
    model, queue, sessions = (_part(said, name) for name in ("model", "queue", "sessions"))
    capacity, workers = _part(said, "capacity"), _part(said, "workers")
    ready = said.get("status") == "ready"
    taking = _("takes new sessions") if said.get("accepting_requests") else _("takes no new session now")
    if not ready:
        taking = said.get("error") or _("no worker has its model loaded")
    told = _("{where} is ready: {taking}.") if ready else _("{where} is not ready: {taking}.")
    lines = [told.format(where=where, taking=taking)]
    rows = {
        _("Model"): _join(_("{model_size} on {device}, {compute_type}"), model),
        _("Workers"): _join(_("{ready} ready"), workers),
        _("Sessions"): _join(_("{active} of {max}"), sessions),
        _("Load"): _join(_("{current_load_percent:.0f} %; {estimated_max_concurrent} finals at once"), capacity),
        _("Queue"): _join(_("{depth} waiting and running"), queue),
        _("Final"): _join(_("{estimated_server_total_ms:.0f} ms now, {avg_final_ms:.0f} ms to decode"), queue),
        _("Requests"): _join(_("{total_requests} for a session, {rejected_requests} refused"), queue),
    }
    lines += [f"  {name:<10}{text}" for name, text in rows.items() if text]
    for gone in workers.get("gave_up") or ():
        name = _("Gave up")
        lines.append(f"  {name:<10}" + _join(_("{worker}, {seconds_ago:.0f} s ago: {reason}"), gone))
    return "\n".join(lines) + "\n"


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}


def _join(template: str, part: dict[str, Any]) -> str:
    """The template filled in; empty when something is lacking."""
    try:
        return template.format(**part)
    except (KeyError, ValueError, TypeError):
        return ""
