"""Records one real message of each kind in docs/examples.json: `python -m docs.capture`, part of `make docs`.

It runs the service as the system tests do: once with the embedded model, for what a client hears, and once with the
echo engine, few places and short limits, for what a client is refused, and once where keys are needed. Nothing in the
examples is written by hand but what the client says.
"""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from docs.generate import EXAMPLES
from harness.audio import noise, silence, speech
from harness.stack import ECHO, MODEL, Stack
from harness.talker import Talker

CLIENT: dict[str, dict[str, Any]] = {
    "start_session": {
        "type": "start_session",
        "session_id": "call-4711",
        "config": {
            "lang_code": "pt-BR",
            "sample_rate": 16000,
            "vad_enabled": True,
            "vad_threshold": 0.5,
            "partial_results": True,
            "word_timestamps": True,
        },
    },
    "start_session, resume": {
        "type": "start_session",
        "session_id": "call-4711",
        "resume": True,
        "last_segment_id": "seg-0001",
    },
    "configure": {"type": "configure", "turn_mode": "dictation", "max_hold_ms": 3000},
    "flush": {"type": "flush", "flush_id": "turn-1"},
    "end_session": {"type": "end_session"},
    "cancel": {"type": "cancel"},
}
SMALL = ECHO | {
    "STT_MAX_SESSIONS": "2",
    "STT_MAX_QUEUE_DEPTH": "4",
    "STT_ECHO_DECODE_MS": "400",
    "STT_LANES": "1",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "1200",
    "STT_RESULT_TIMEOUT_S": "2",
}
STREAM = {"vad_enabled": False, "partial_results": False}

Examples = dict[str, Any]


async def say(talker: Talker, kind: str) -> None:
    """Send a message of `CLIENT`."""
    await talker.ws.send(json.dumps(CLIENT[kind]))


async def conversation(stack: Stack, server: Examples, pages: Examples) -> None:
    """A sentence, spoken in real time, and the pages meanwhile."""
    async with Talker(stack.ws_url) as talker, Talker(stack.ws_url) as other:
        await talker.say("start_session", config={"sample_rate": "16k"})
        server["INVALID_MESSAGE"] = await talker.next()
        await say(talker, "start_session")
        server["session_started"] = await talker.next()
        await say(other, "start_session")
        server["SESSION_EXISTS"] = await other.next()
        streaming = asyncio.create_task(talker.stream(silence(0.3) + speech("s07_pm_alex") + silence(0.8)))
        server["partial_transcript"] = await talker.until("partial_transcript")
        for path in ("/", "/health/live", "/health/startup", "/health/ready", "/health/status"):
            response = await asyncio.to_thread(requests.get, stack.http_url + path, timeout=10)
            pages[path] = response.json()
        server["final_transcript"] = await talker.until("final_transcript")
        await streaming
        await say(talker, "flush")
        server["final_transcript, empty"] = await talker.until("final_transcript")
        await say(talker, "configure")
        server["configured"] = await talker.next()
        await say(talker, "end_session")
        server["session_ended"] = await talker.until("session_ended")
    server["speech_start"], server["speech_end"] = talker.of("vad_event")
    server["partial_transcript"] = talker.of("partial_transcript")[-1]


async def busy(stack: Stack, jobs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a start while so many jobs wait and run, and what those inside are told."""
    async with Talker(stack.ws_url) as talker, Talker(stack.ws_url) as late:
        await talker.start(config=STREAM)
        for seed in range(jobs):
            await talker.ws.send(noise(0.3, seed))
            await say(talker, "flush")
        await asyncio.sleep(0.3)
        refused = await late.start(session_id="call-4712")
        await say(talker, "end_session")
        await talker.until("session_ended")
    calm = f"{stack.http_url}/health/status"
    while not (await asyncio.to_thread(requests.get, calm, timeout=10)).json()["accepting_requests"]:
        await asyncio.sleep(0.2)
    return refused, talker.of("status")[0]


async def resumed(stack: Stack, server: Examples) -> None:
    """A connection lost after the first final, and the next."""
    async with Talker(stack.ws_url) as talker:
        await talker.start(session_id="call-4711", resume=True, config=STREAM)
        await talker.ws.send(noise(2.0))
        await say(talker, "flush")
        await talker.until("final_transcript")
        talker.vanish()
    async with Talker(stack.ws_url) as talker:
        await say(talker, "start_session, resume")
        server["session_started, resumed"] = await talker.next()
        await say(talker, "cancel")
        await talker.until("session_ended")


async def refusals(stack: Stack, server: Examples, pages: Examples) -> None:
    """Everything that goes wrong, made to."""
    pages["/health/ready, 503"] = requests.get(f"{stack.http_url}/health/ready", timeout=10).json()
    worker = stack.start_worker()
    server["QUEUE_CONGESTION"], server["status"] = await busy(stack, jobs=3)
    server["QUEUE_FULL"], _ = await busy(stack, jobs=7)
    await resumed(stack, server)
    async with Talker(stack.ws_url) as first, Talker(stack.ws_url) as second, Talker(stack.ws_url) as third:
        await first.start(session_id="call-4711", config=STREAM)
        await second.start(session_id="call-4712", config=STREAM)
        server["MAX_SESSIONS_REACHED"] = await third.start(session_id="call-4713")
        stack.kill(worker)
        await first.ws.send(noise(0.5))
        await say(first, "flush")
        server["INFERENCE_ERROR"] = await first.until("error")
        stack.webs[0].signal(signal.SIGTERM)
        server["INTERNAL_ERROR"] = await first.until("error")


async def keyless(stack: Stack, server: Examples) -> None:
    """An API key that is revoked, and one that has used its minutes."""
    revoked, spent = stack.manage("createapikey", "acme"), stack.manage("createapikey", "acme", "--minutes-a-day", "1")
    async with Talker(stack.ws_url, revoked) as talker:
        await talker.start(session_id="call-4711", config=STREAM)
        await asyncio.to_thread(stack.manage, "revokeapikey", revoked.split("_")[1])
        server["UNAUTHORIZED"] = await talker.until("error")
    async with Talker(stack.ws_url, spent) as talker:
        await talker.start(config=STREAM)
        await talker.stream(silence(61), pace=0.02)
        await talker.until("session_ended")
    async with Talker(stack.ws_url, spent) as talker:
        server["QUOTA_EXCEEDED"] = await talker.start(session_id="call-4712")


@contextmanager
def opened(settings: dict[str, str], workers: int = 1) -> Iterator[Stack]:
    """A stack with one web process, and a worker or none."""
    with tempfile.TemporaryDirectory() as directory, Stack(Path(directory), settings) as stack:
        yield stack.start(workers)


def main() -> None:
    """Record everything and write it down."""
    server: Examples = {}
    pages: Examples = {}
    with opened(MODEL) as stack:
        asyncio.run(conversation(stack, server, pages))
    with opened(SMALL, workers=0) as stack:
        asyncio.run(refusals(stack, server, pages))
    with opened(ECHO | {"STT_AUTH": "required"}) as stack:
        asyncio.run(keyless(stack, server))
    examples = {"client": CLIENT, "server": server, "pages": pages}
    EXAMPLES.write_text(json.dumps(examples, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.write(f"docs/{EXAMPLES.name}: {sum(map(len, examples.values()))} examples\n")


if __name__ == "__main__":
    main()
