"""Every protocol's bytes are those that were recorded, and what its own SDK reads without a field missing.

A change of them is seen in the diff: `make docs`, or `.venv/bin/python -m tests.golden`, writes them anew.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from deepgram.listen.v1.types import (
    ListenV1ConfigureFailure,
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)
from deepgram.listen.v2.types import (
    ListenV2ConfigureFailure,
    ListenV2ConfigureSuccess,
    ListenV2Connected,
    ListenV2TurnInfo,
)
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from docs.generate import DIALECTS, FRAMES, first_of_each_kind
from tests.golden.conversations import CONVERSATIONS, HERE, recorded

MODELS: dict[str, dict[str, type[BaseModel]]] = {
    "deepgram": {
        "Results": ListenV1Results,
        "SpeechStarted": ListenV1SpeechStarted,
        "UtteranceEnd": ListenV1UtteranceEnd,
        "Metadata": ListenV1Metadata,
        "ConfigureFailure": ListenV1ConfigureFailure,
    },
    "deepgram_flux": {
        "Connected": ListenV2Connected,
        "TurnInfo": ListenV2TurnInfo,
        "ConfigureSuccess": ListenV2ConfigureSuccess,
        "ConfigureFailure": ListenV2ConfigureFailure,
    },
}
UNKNOWN = {"Error", "Warning"}
"""Which the SDKs have no model for in every version, and pass on or skip."""


def server_frames(name: str) -> Iterator[dict[str, Any]]:
    for line in (HERE / f"{name}.jsonl").read_text().splitlines():
        if isinstance(told := json.loads(line).get("server"), dict):
            yield told


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_bytes_are_as_recorded(name: str) -> None:
    """Every frame, in order, of the native protocol too."""
    assert (HERE / f"{name}.jsonl").read_text() == recorded(name), "see the module's first lines"


@pytest.mark.parametrize("name", MODELS)
def test_deepgram_s_sdk_finds_every_field_it_requires(name: str) -> None:
    """And every kind of message that we send was recorded."""
    kinds = set()
    for frame in server_frames(name):
        kinds.add(frame["type"])
        if model := MODELS[name].get(frame["type"]):
            model.model_validate(frame)
    assert kinds == {*MODELS[name], *UNKNOWN} - ({"Warning"} if name == "deepgram" else {"Error"})


def test_openai_s_sdk_finds_every_field_it_requires() -> None:
    """Of events, and of transcripts."""
    event: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
    for frame in server_frames("openai_realtime"):
        assert event.validate_python(frame).type == frame["type"]
    for frame in server_frames("openai_files"):
        if "text" in frame:
            (TranscriptionVerbose if "task" in frame else Transcription).model_validate(frame)


@pytest.mark.parametrize("name", FRAMES)
def test_the_documentation_s_examples_are_recorded_ones(name: str) -> None:
    """One of each kind."""
    (block,) = re.findall(
        rf"<!-- frames: {name} -->\n```json\n(.*?)```\n<!-- /frames -->", DIALECTS.read_text(), re.DOTALL
    )
    shown = block.splitlines()
    golden = (HERE / f"{name}.jsonl").read_text().splitlines()

    assert shown == first_of_each_kind(golden)
    assert set(shown) <= set(golden)
