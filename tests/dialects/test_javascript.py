"""Deepgram's and OpenAI's SDKs for JavaScript, unchanged but for their address (`javascript/listen.mjs`)."""

import asyncio
import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import pytest
from elsewhere import HERE, Program, Told, node, way
from real_clients import SAID, at_rate, words

from harness.audio import silence, speech, wav
from harness.cutter import Cutter
from harness.stack import ECHO, Stack
from harness.talker import Talker
from tests.stack.servers import Certificate

pytestmark = pytest.mark.sdks

RATE = 24_000
SENTENCE = silence(0.3) + speech("s13_pm_alex")
COMPLETED = "conversation.item.input_audio_transcription.completed"
SOCKETS = ["deepgram", "flux", "realtime"]
CLIENTS = [*SOCKETS, "files"]


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without silence after it: the end is what the client asks for."""
    path: Path = tmp_path_factory.mktemp("audio") / "sentence.wav"
    path.write_bytes(wav(at_rate(RATE, SENTENCE), RATE))
    return path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls") / "certificate")


class Running:
    """The clients against a service, each on its way to it: OpenAI's socket wants TLS."""

    def __init__(self, stack: Stack, certificate: Certificate, file: Path) -> None:
        self._cutters = Cutter(stack), Cutter(stack)
        self.lead_to(stack.ports[0])
        self._certificate, self._file = certificate, file
        self._open = ExitStack()

    def __enter__(self) -> Self:
        plain, tls = self._cutters
        self._plain = self._open.enter_context(way(plain))
        self._tls = self._open.enter_context(way(tls, self._certificate))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def lead_to(self, port: int) -> None:
        for cutter in self._cutters:
            cutter.lead_to(port)

    def run(self, client: str, key: str = "none", *, loop: bool = False) -> Program:
        address = self._tls if client == "realtime" else self._plain
        asked = {"client": client, "address": address, "key": key, "file": str(self._file), "loop": loop}
        program = Program(
            node(),
            HERE / "javascript" / "listen.mjs",
            json.dumps(asked),
            NODE_EXTRA_CA_CERTS=str(self._certificate.path),
        )
        return self._open.enter_context(program)


@pytest.fixture(scope="module")
def heard(keyed: tuple[Stack, str], certificate: Certificate, sentence: Path) -> dict[str, list[Told]]:
    """What each client told of an end asked for in silence, and of a sentence; all at the same time."""
    stack, key = keyed
    with Running(stack, certificate, sentence) as running:
        programs = {client: running.run(client, key) for client in CLIENTS}
        return {client: program.ends() for client, program in programs.items()}


@pytest.mark.model
def test_deepgram_live(heard: dict[str, list[Told]]) -> None:
    """Every Finalize is answered, the first of nothing with nothing; the ranges of finals have no hole."""
    told = heard["deepgram"]
    results = [message for message in told if message["type"] == "Results"]
    finals = [result for result in results if result["is_final"]]
    texts = [final["channel"]["alternatives"][0]["transcript"] for final in finals]

    assert [message["type"] for message in told[-2:]] == ["Metadata", "close"]
    assert told[-1]["code"] == 1000
    assert [final["from_finalize"] for final in finals] == [True, True]
    assert texts[0] == ""
    assert SAID in words(texts[1])

    ends = [final["start"] + final["duration"] for final in finals]
    assert [final["start"] for final in finals] == pytest.approx([0.0, *ends[:-1]])


@pytest.mark.model
def test_deepgram_flux(heard: dict[str, list[Told]]) -> None:
    """An end that is forced in silence ends no turn."""
    *told, close = heard["flux"]
    turn = [message for message in told if message["type"] == "TurnInfo"]

    assert [message["sequence_id"] for message in told] == list(range(len(told)))
    assert told[0]["type"] == "Connected"
    assert (turn[0]["event"], turn[-1]["event"], turn[-1]["trigger"]) == ("StartOfTurn", "EndOfTurn", "manual")
    assert {message["turn_index"] for message in turn} == {0}
    assert SAID in words(turn[-1]["transcript"])
    assert (close["type"], close["code"]) == ("close", 1000)


@pytest.mark.model
def test_openai_realtime(heard: dict[str, list[Told]]) -> None:
    """A commit of nothing is an error of that commit, and no end."""
    told = heard["realtime"]
    kinds = [event["type"] for event in told]
    (completed,) = (event for event in told if event["type"] == COMPLETED)

    assert kinds[:3] == ["session.created", "session.updated", "error"]
    assert told[2]["error"]["code"] == "input_audio_buffer_commit_empty"
    assert SAID in words(completed["transcript"])
    assert kinds[-1] == "close"


@pytest.mark.model
def test_openai_files(heard: dict[str, list[Told]]) -> None:
    """Models, a transcript, and one as a stream."""
    models, whole, *events = heard["files"]

    assert "whisper-1" in models["ids"]
    assert SAID in words(whole["text"])
    assert events[-1]["type"] == "transcript.text.done"
    assert events[-1]["text"] == "".join(event["delta"] for event in events[:-1]) == whole["text"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_key(full: tuple[Stack, str], certificate: Certificate, sentence: Path, client: str) -> None:
    """Is an error with its status."""
    with Running(full[0], certificate, sentence) as running:
        program = running.run(client, "wrong")
        told = program.until(lambda: _of("error", program), "an error")

    assert told.get("status") == 401 or "401" in told["message"]


@pytest.mark.parametrize(
    ("client", "kind", "told"),
    [
        ("deepgram", "error", {"message": "Unexpected server response: 429"}),
        ("flux", "error", {"message": "Unexpected server response: 429"}),
        ("realtime", "close", {"code": 1013, "reason": "Maximum sessions reached: 1"}),
        ("files", "error", {"status": 429, "message": "429 Maximum sessions reached: 1"}),
    ],
)
async def test_a_service_that_is_full(
    full: tuple[Stack, str], certificate: Certificate, sentence: Path, client: str, kind: str, told: Told
) -> None:
    """Is an error with its status; OpenAI's socket, which is open by then, is closed with a reason."""
    stack, key = full
    async with Talker(stack.ws_url, key) as inside:
        await inside.start()
        with Running(stack, certificate, sentence) as running:
            program = running.run(client, key)
            heard = await asyncio.to_thread(program.until, lambda: _of(kind, program), kind)
        await inside.end()

    assert heard | told == heard


def test_a_restart_in_mid_sentence(tmp_path: Path, certificate: Certificate, sentence: Path) -> None:
    """Deepgram's sockets connect again and hear what is said then; OpenAI's, which does not, is told by the close."""
    with Stack(tmp_path, ECHO | {"STT_DRAIN_S": "0"}) as stack:
        stack.start(webs=2)
        with Running(stack, certificate, sentence) as running:
            programs = {client: running.run(client, loop=True) for client in SOCKETS}
            for program in programs.values():
                program.until(partial(_speech, program, after=0), "speech")
            running.lead_to(stack.ports[1])
            stack.terminate(stack.webs[0])
            for client, program in programs.items():
                close = program.until(partial(_of, "close", program), "the close")
                assert close["code"] == 1012
                if client != "realtime":
                    program.until(partial(_speech, program, after=program.told.index(close)), "speech once more")

    assert "error" not in {event["type"] for event in programs["realtime"].told}


def _of(kind: str, program: Program) -> Told | None:
    return next((told for told in list(program.told) if told["type"] == kind), None)


def _speech(program: Program, *, after: int) -> Told | None:
    kinds = ("SpeechStarted", "TurnInfo", "input_audio_buffer.speech_started")
    return next((told for told in program.told[after:] if told["type"] in kinds), None)
