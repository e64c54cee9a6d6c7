"""pipecat's own services, unchanged but for their address, in pipelines of their own (`programs/pipecat_client.py`)."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from elsewhere import HERE, PYTHON, Program, Told, way
from real_clients import PCM, SAID, words

from harness.cutter import Cutter
from harness.stack import ECHO, Stack
from harness.talker import Talker

pytestmark = pytest.mark.sdks

SERVICES: dict[str, Told] = {
    "deepgram": {"path": "", "scheme": "http", "settings": {"language": "pt-BR"}},
    "flux": {
        "path": "/v2/listen",
        "scheme": "ws",
        "settings": {"model": "flux-general-multi", "language_hints": ["pt"]},
    },
    "realtime": {"path": "/v1/realtime", "scheme": "ws", "settings": {"language": "pt"}},
}
ERROR, TEXT = "ErrorFrame", "TranscriptionFrame"
_names = itertools.count()


@pytest.fixture(scope="module")
def pipecat() -> Iterator[Program]:
    with Program(PYTHON, HERE / "programs" / "pipecat_client.py") as program:
        yield program


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("audio") / "sentence.pcm"
    path.write_bytes(PCM)
    return str(path)


class Pipeline:
    """One service in a pipeline."""

    def __init__(self, pipecat: Program, service: str, address: str, key: str = "none", **more: Any) -> None:
        """At an address, which is host and port."""
        self._pipecat, self._name = pipecat, f"{service}-{next(_names)}"
        told = SERVICES[service]
        url = f"{told['scheme']}://{address}{told['path']}"
        self.do("open", service=service, url=url, key=key, **{"settings": told["settings"]} | more)
        self.until("StartFrame")

    def do(self, what: str, **how: Any) -> None:
        """See the program."""
        self._pipecat.say(id=self._name, do=what, **how)

    @property
    def frames(self) -> list[Told]:
        """What came out so far."""
        return [line for line in list(self._pipecat.told) if line["id"] == self._name]

    def until(self, *kinds: str) -> Told:
        """Until there were frames of these kinds, in this order; the last of them."""
        return self._pipecat.until(lambda: _last(self.frames, kinds), f"{kinds} of {self._name}")

    def close(self) -> list[Told]:
        """Its frames."""
        self.do("close")
        self.until("Closed")
        return self.frames


def _last(frames: list[Told], kinds: Sequence[str]) -> Told | None:
    rest, found = iter(frames), None
    for kind in kinds:
        found = next((frame for frame in rest if frame["frame"] == kind), None)
        if found is None:
            return None
    return found


@pytest.fixture(scope="module")
def heard(keyed: tuple[Stack, str], pipecat: Program, sentence: str) -> dict[str, list[Told]]:
    """What each service made of an end of speech in silence and a sentence, at the same time."""
    stack, key = keyed
    address = f"127.0.0.1:{stack.ports[0]}"
    pipelines = {
        "deepgram": Pipeline(pipecat, "deepgram", address, key, vad=True),
        "flux": Pipeline(pipecat, "flux", address, key, options={"enable_eager_end_of_turn": True}),
        "realtime": Pipeline(pipecat, "realtime", address, key, vad=True),
        "realtime, server VAD": Pipeline(
            pipecat, "realtime", address, key, options={"turn_detection": {"type": "server_vad"}}
        ),
    }
    for name, pipeline in pipelines.items():
        if name == "deepgram":
            pipeline.do("stopped")
        pipeline.do("speak", pcm=sentence)
    for pipeline in pipelines.values():
        pipeline.until(TEXT)
    return {name: pipeline.close() for name, pipeline in pipelines.items()}


@pytest.mark.model
@pytest.mark.parametrize("service", ["deepgram", "flux", "realtime", "realtime, server VAD"])
def test_the_words(heard: dict[str, list[Told]], service: str) -> None:
    """Once; nothing goes wrong."""
    kinds = [frame["frame"] for frame in heard[service]]

    (final,) = (frame for frame in heard[service] if frame["frame"] == TEXT)
    assert SAID in words(final["text"])
    assert ERROR not in kinds


@pytest.mark.model
def test_a_finalize_is_answered_with_and_without_speech(heard: dict[str, list[Told]]) -> None:
    """pipecat sends one where its VAD hears the end of speech: the transcript that it marks is the sentence's."""
    frames = heard["deepgram"]
    kinds = [frame["frame"] for frame in frames]

    assert kinds.index(TEXT) > max(n for n, kind in enumerate(kinds) if kind == "VADUserStoppedSpeakingFrame")
    assert frames[kinds.index(TEXT)]["finalized"]


@pytest.mark.model
@pytest.mark.parametrize("service", ["flux", "realtime, server VAD"])
def test_turns_are_the_service_s(heard: dict[str, list[Told]], service: str) -> None:
    """A start, what was said, an end."""
    kinds = [frame["frame"] for frame in heard[service]]

    assert kinds.count("ProposedUserStartedSpeakingFrame") == kinds.count("ProposedUserStoppedSpeakingFrame") == 1
    assert kinds.index("ProposedUserStartedSpeakingFrame") < kinds.index(TEXT)


def test_flux_prepares_its_answer(echo_stack: Stack, pipecat: Program, sentence: str) -> None:
    """An eager end of the turn, kept or taken back before another."""
    pipeline = Pipeline(pipecat, "flux", f"127.0.0.1:{echo_stack.ports[0]}", options={"enable_eager_end_of_turn": True})
    pipeline.do("speak", pcm=sentence)
    pipeline.until(TEXT)
    frames = pipeline.close()

    pending = None
    for frame in frames:
        match frame["frame"]:
            case "EagerTranscriptionFrame":
                pending = frame["text"]
            case "EagerEndOfTurnCancelFrame":
                pending = None
            case "TranscriptionFrame":
                assert pending in (None, frame["text"])
                pending = None
    assert "EagerTranscriptionFrame" in {frame["frame"] for frame in frames}


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_key(full: tuple[Stack, str], pipecat: Program, service: str) -> None:
    """Is said with its status, and not tried again."""
    pipeline = Pipeline(pipecat, service, f"127.0.0.1:{full[0].ports[0]}", "wrong")
    told = pipeline.until(ERROR)
    pipeline.close()

    assert "401" in told["error"]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("deepgram", "Deepgram rejected the connection (status 429)"),
        ("flux", "Deepgram refused the connection (HTTP 429): Maximum sessions reached: 1"),
        ("realtime", "connection failed 3 times immediately after connecting"),
    ],
)
async def test_a_service_that_is_full(full: tuple[Stack, str], pipecat: Program, service: str, message: str) -> None:
    """Is said; of a socket that is closed at once pipecat does not say why."""
    stack, key = full
    async with Talker(stack.ws_url, key) as inside:
        await inside.start()
        pipeline = await asyncio.to_thread(Pipeline, pipecat, service, f"127.0.0.1:{stack.ports[0]}", key)
        told = await asyncio.to_thread(pipeline.until, ERROR)
        await asyncio.to_thread(pipeline.close)
        await inside.end()

    assert message in told["error"]


def test_a_restart_in_mid_sentence(tmp_path: Path, pipecat: Program, sentence: str) -> None:
    """Each service connects again and hears what is said then."""
    with Stack(tmp_path, ECHO | {"STT_DRAIN_S": "0"}) as stack:
        stack.start(webs=2)
        cutter = Cutter(stack)
        cutter.lead_to(stack.ports[0])
        with way(cutter) as address:
            pipelines = [
                Pipeline(pipecat, "deepgram", address),
                Pipeline(pipecat, "flux", address),
                Pipeline(pipecat, "realtime", address, options={"turn_detection": {"type": "server_vad"}}),
            ]
            for pipeline in pipelines:
                pipeline.do("speak", pcm=sentence, loop=True)
            for pipeline in pipelines:
                pipeline.until("InterimTranscriptionFrame")
            cutter.lead_to(stack.ports[1])
            stack.terminate(stack.webs[0])
            assert stack.webs[0].wait(20)
            said = [[frame["frame"] for frame in pipeline.frames] for pipeline in pipelines]
            for pipeline, before in zip(pipelines, said, strict=True):
                pipeline.until(*before, "InterimTranscriptionFrame", TEXT)
            for pipeline in pipelines:
                pipeline.close()
