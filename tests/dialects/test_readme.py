"""What the README tells users of other services' clients to change, run as it is written but for address and key."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elsewhere import HERE, PYTHON, Program, node
from livekit.agents.stt import SpeechEventType
from livekit.agents.utils import http_context
from real_clients import PCM, heard_by_livekit, text

from harness.audio import wav
from harness.processes import ROOT
from harness.stack import Stack

README = (ROOT / "README.md").read_text()
FINAL = "TranscriptionFrame"
NAMES = "live", "flux", "realtime"


def written(stack: Stack, language: str, *needles: str) -> str:
    """The block of the section that has all of these in it."""
    section = README.partition("\n## You have a client already\n")[2].partition("\n## ")[0]
    (block,) = (
        block
        for block in re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
        if all(needle in block for needle in needles)
    )
    assert "localhost:8000" in block and "stt_KEY" in block
    return block.replace("localhost:8000", f"127.0.0.1:{stack.ports[0]}").replace("stt_KEY", "none")


def run(code: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    exec(code, made)
    return made


@pytest.mark.filterwarnings("ignore:websockets.*:DeprecationWarning")  # the SDK's own
async def test_deepgram_s_sdk(echo_stack: Stack) -> None:
    client = run(written(echo_stack, "python", "AsyncDeepgramClient"))["client"]
    raw = {"encoding": "linear16", "sample_rate": "16000"}

    async with client.listen.v1.connect(model="nova-3", **raw) as live:
        await live.send_close_stream()
        assert (await live.recv()).type == "Metadata"
    async with client.listen.v2.connect(model="flux-general-multi", **raw) as flux:
        assert (await flux.recv()).type == "Connected"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own
async def test_openai_s_sdk(echo_stack: Stack) -> None:
    made = run(written(echo_stack, "python", "AsyncOpenAI"))

    async with made["client"] as client:
        assert (await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", wav(PCM)))).text
    async with made["realtime"] as realtime:
        assert (await realtime.recv()).type == "session.created"


async def test_livekit_s_plugins(echo_stack: Stack) -> None:
    """In a job of LiveKit's, whose HTTP session they take."""
    async with http_context.open():
        made = run(written(echo_stack, "python", "livekit"))
        heard = await asyncio.gather(
            *(heard_by_livekit(made[name], until=[SpeechEventType.FINAL_TRANSCRIPT]) for name in NAMES)
        )
        await made["realtime"].aclose()

    assert all(text(events, SpeechEventType.FINAL_TRANSCRIPT) for events in heard)


@pytest.fixture
def pipecat() -> Iterator[Program]:
    with Program(PYTHON, HERE / "programs" / "pipecat_client.py") as program:
        yield program


@pytest.mark.sdks
def test_pipecat(echo_stack: Stack, pipecat: Program, tmp_path: Path) -> None:
    """Each service hears the end of speech, from the server or a VAD before it."""
    code, sentence = written(echo_stack, "python", "pipecat"), tmp_path / "sentence.pcm"
    sentence.write_bytes(PCM)
    for name in NAMES:
        pipecat.say(id=name, do="open", service=name, code=code, vad=name == "realtime")
    for name in NAMES:
        pipecat.say(id=name, do="speak", pcm=str(sentence))
    for name in NAMES:
        pipecat.until(
            lambda name=name: next((t for t in pipecat.told if (t["id"], t["frame"]) == (name, FINAL)), None), name
        )


@pytest.mark.sdks
def test_javascript(echo_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        written(echo_stack, "js", "DeepgramClient")
        + """
        const live = await deepgram.listen.v1.connect({ model: "nova-3", encoding: "linear16", sample_rate: 16000 });
        live.on("message", ({ type }) => console.log(JSON.stringify({ type })));
        live.connect();
        await live.waitForOpen();
        live.sendCloseStream({ type: "CloseStream" });
        for await (const { id } of openai.models.list()) console.log(JSON.stringify({ id }));
    """
    )
    monkeypatch.chdir(HERE / "javascript")  # where its modules are
    with Program(node(), "--input-type=module", "--eval", code) as program:
        told = program.ends()

    assert {"type": "Metadata"} in told
    assert {"id": "whisper-1"} in told
