"""Deepgram's own SDK and LiveKit's plugins for it, unchanged but for their address, against the real model."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from containers import recording
from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from livekit import rtc
from livekit.agents.stt import SpeechEventType
from livekit.plugins import deepgram
from real_clients import OPTIONS, PCM, SAID, address, environment, heard_by_livekit, paced, recorded, text, words

from harness.audio import SAMPLE_RATE
from harness.stack import Stack

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore:websockets.*:DeprecationWarning"),  # the SDK's own
]


async def test_livekit_s_plugin(keyed: tuple[Stack, str], http: aiohttp.ClientSession) -> None:
    stack, key = keyed
    stt = deepgram.STT(base_url=f"{stack.http_url}/v1/listen", api_key=key, language="pt-BR", http_session=http)
    events = await heard_by_livekit(stt)

    kinds = [event.type for event in events]
    assert kinds[0] is SpeechEventType.START_OF_SPEECH
    assert SpeechEventType.INTERIM_TRANSCRIPT in kinds
    assert SAID in text(events, SpeechEventType.FINAL_TRANSCRIPT)
    assert kinds.index(SpeechEventType.END_OF_SPEECH) > kinds.index(SpeechEventType.FINAL_TRANSCRIPT)
    final = next(event for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT).alternatives[0]
    assert 0.2 < final.start_time < 1.0 < final.end_time < len(PCM) / 32_000


async def test_livekit_s_plugin_for_flux(keyed: tuple[Stack, str], http: aiohttp.ClientSession) -> None:
    stack, key = keyed
    address = f"{stack.ws_url.removesuffix('/ws/stt')}/v2/listen"
    stt = deepgram.STTv2(
        base_url=address,
        api_key=key,
        model="flux-general-multi",
        language_hint=["pt"],
        http_session=http,
    )
    events = await heard_by_livekit(stt)

    kinds = [event.type for event in events]
    assert kinds[0] is SpeechEventType.START_OF_SPEECH
    assert SpeechEventType.INTERIM_TRANSCRIPT in kinds
    assert kinds.index(SpeechEventType.END_OF_SPEECH) > kinds.index(SpeechEventType.FINAL_TRANSCRIPT)
    assert SAID in text(events, SpeechEventType.FINAL_TRANSCRIPT)


async def test_the_sdk_live(keyed: tuple[Stack, str]) -> None:
    stack, key = keyed
    client = AsyncDeepgramClient(api_key=key, environment=environment(address(stack)))
    told: list[Any] = []
    async with (
        asyncio.timeout(60),
        client.listen.v1.connect(
            model="nova-3",
            encoding="linear16",
            sample_rate="16000",
            language="pt-BR",
            interim_results="true",
            vad_events="true",
            utterance_end_ms="1000",
        ) as connection,
    ):
        connection.on(EventType.MESSAGE, told.append)
        listening = asyncio.create_task(connection.start_listening())
        await paced(PCM, connection.send_media)
        await connection.send_finalize()
        await connection.send_close_stream()
        await listening

    types = [message.type for message in told]
    results = [message for message in told if message.type == "Results"]
    finals = [result for result in results if result.is_final]
    assert types[0] == "SpeechStarted"
    assert types[-1] == "Metadata"
    assert types.count("UtteranceEnd") == 1
    assert SAID in words(" ".join(final.channel.alternatives[0].transcript for final in finals))
    assert finals[-1].from_finalize, "also where nothing was said"
    assert not all(result.is_final for result in results)
    ends = [final.start + final.duration for final in finals]
    assert [final.start for final in finals] == pytest.approx([0.0, *ends[:-1]])


async def test_the_sdk_s_flux(keyed: tuple[Stack, str]) -> None:
    stack, key = keyed
    client = AsyncDeepgramClient(api_key=key, environment=environment(address(stack)))
    told: list[Any] = []
    async with (
        asyncio.timeout(60),
        client.listen.v2.connect(
            model="flux-general-multi", encoding="linear16", sample_rate="16000", eager_eot_threshold="0.4"
        ) as connection,
    ):
        connection.on(EventType.MESSAGE, told.append)
        listening = asyncio.create_task(connection.start_listening())
        await paced(PCM, connection.send_media)
        await connection.send_close_stream()
        await listening

    assert [message.sequence_id for message in told] == list(range(len(told)))
    assert told[0].type == "Connected"
    turn = [message for message in told if message.type == "TurnInfo"]
    assert turn[0].event == "StartOfTurn"
    assert turn[-1].event == "EndOfTurn"
    assert SAID in words(turn[-1].transcript)


async def test_livekit_s_plugin_prepares_its_answer(echo_stack: Stack, http: aiohttp.ClientSession) -> None:
    """The eager end of a turn, where there is time for it before the end."""
    address = f"{echo_stack.ws_url.removesuffix('/ws/stt')}/v2/listen"
    stt = deepgram.STTv2(base_url=address, api_key="none", eager_eot_threshold=0.4, http_session=http)
    events = await heard_by_livekit(stt)

    kinds = [event.type for event in events]
    eager = [n for n, kind in enumerate(kinds) if kind is SpeechEventType.PREFLIGHT_TRANSCRIPT]
    last = kinds.index(SpeechEventType.FINAL_TRANSCRIPT)
    assert eager and eager[-1] < last
    assert events[eager[-1]].alternatives[0].text == events[last].alternatives[0].text


async def test_a_wrong_key_is_refused_before_the_upgrade(keyed: tuple[Stack, str], http: aiohttp.ClientSession) -> None:
    stack, _ = keyed
    stt = deepgram.STT(base_url=f"{stack.http_url}/v1/listen", api_key="wrong", language="pt-BR", http_session=http)
    with pytest.raises(Exception, match="401"):
        await heard_by_livekit(stt, PCM[:32_000])


@pytest.mark.parametrize("kind", ["webm", "m4a"])
def test_the_sdk_s_recordings(keyed: tuple[Stack, str], tmp_path: Path, kind: str) -> None:
    """With their times, in utterances, sentences and paragraphs."""
    stack, key = keyed
    with recorded(stack, key) as client:
        told = client.transcribe_file(
            request=recording(kind, tmp_path), model="nova-3", language="pt-BR", smart_format=True, utterances=True
        )
    (alternative,) = told.results.channels[0].alternatives
    (utterance,) = told.results.utterances

    assert SAID in words(alternative.transcript)
    assert told.metadata.duration == pytest.approx(len(PCM) / 32_000, abs=0.2)
    assert told.metadata.created
    assert alternative.confidence > 0.5
    assert 0.2 < alternative.words[0].start < alternative.words[-1].end < told.metadata.duration
    assert alternative.words[0].punctuated_word
    assert utterance.transcript == alternative.transcript == alternative.paragraphs.transcript
    assert alternative.paragraphs.paragraphs[0].num_words == len(alternative.words)


async def test_livekit_s_plugin_recognises(keyed: tuple[Stack, str], http: aiohttp.ClientSession) -> None:
    stack, key = keyed
    stt = deepgram.STT(base_url=f"{stack.http_url}/v1/listen", api_key=key, language="pt-BR", http_session=http)
    event = await stt.recognize(rtc.AudioFrame(PCM, SAMPLE_RATE, 1, len(PCM) // 2), conn_options=OPTIONS)

    assert SAID in words(event.alternatives[0].text)
