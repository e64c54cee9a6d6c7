"""Conversations in every protocol, with the real session and a scripted ear: the same bytes each time.

`python -m tests.golden` writes them to `NAME.jsonl`, a line a frame: `{"client": …}` and `{"server": …}` are text
frames as they went over the wire, `{"audio_ms": …}` is audio. Of HTTP `{"asked": …, "server": …}` are whole answers.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.core.dialects.client import Client
from transcription.core import protocol
from transcription.core.contract.jobs import Job, Kind
from transcription.core.dialects import openai_rest
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.dialect import Refused, Reply, Step
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.dialects.openai_rest import OpenAITranscription
from transcription.core.dialects.realtime import OpenAIRealtime
from transcription.core.dialects.recordings import Answer, Asked, as_answer
from transcription.core.protocol import Error, FinalTranscript, ServerMessage, Timing, Word

HERE = Path(__file__).parent
REQUEST = "5f0e6d7c-7a35-4c51-9d3b-0d6a2f1f8b10"
LISTEN = "model=nova-3&language=pt-BR&interim_results=true&vad_events=true&utterance_end_ms=1000&encoding=linear16"
FLUX = "model=flux-general-multi&language_hint=pt&encoding=linear16&eager_eot_threshold=0.4&eot_timeout_ms=3000"
WINDOW_MS = 32


def words(text: str) -> list[Word]:
    """A quarter of a second each."""
    return [Word(word=word, start=n / 4, end=(n + 1) / 4, probability=0.9) for n, word in enumerate(text.split())]


class Conversation(Client):
    """With words in its finals, and the frames as lines."""

    def hum(self, windows: int, *, speaking: bool) -> None:
        """So many windows of audio, with or without speech."""
        self.play_on([("speak" if speaking else "rest", windows)])

    def answers(self, text: str) -> None:
        """The worker answers what it was asked."""
        while self._waiting():
            self.play_on([("answer", text)])

    def fails(self) -> None:
        """It has no transcript."""
        while self._waiting():
            self.play_on([("fail", ""), ("answer", "Ol")])

    def fields_of(self, job: Job, text: str) -> dict[str, object]:
        """Words, too."""
        said = {"words": words(text)} if job.word_timestamps and job.kind is Kind.FINAL else {}
        return super().fields_of(job, text) | said

    @property
    def lines(self) -> list[str]:
        """As they are written down."""
        return lines(self.exchanged)


def lines(exchanged: Sequence[tuple[str, str | bytes]]) -> list[str]:
    """Frames verbatim; pieces of audio that follow each other as one."""
    written: list[str] = []
    audio_ms = 0
    for side, frame in (*exchanged, ("", "")):
        is_audio = isinstance(frame, bytes) or '"input_audio_buffer.append"' in frame
        audio_ms += WINDOW_MS if is_audio else 0
        if audio_ms and not is_audio:
            written.append(json.dumps({"audio_ms": audio_ms}))
            audio_ms = 0
        if side and not is_audio:
            assert isinstance(frame, str)
            written.append(f'{{"{side}":{frame}}}')
    return written


def sentences(client: Conversation, flush: str, second_flush: str = "") -> None:
    """Partials, an eager final and one that speech went on after; one that is flushed, one that fails."""
    client.hum(20, speaking=True)
    client.answers("Bom")
    client.hum(12, speaking=True)
    client.answers("Bom dia")
    client.hum(4, speaking=False)
    client.answers("Bom dia.")
    client.hum(8, speaking=True)
    client.answers("Bom dia a")
    client.hum(4, speaking=False)
    client.answers("Bom dia a todos.")
    client.hum(8, speaking=False)
    client.answers("Bom dia a todos.")
    client.hum(40, speaking=False)
    client.say(flush)
    client.hum(20, speaking=True)
    client.answers("Obri")
    client.say(second_flush or flush)
    client.answers("Obrigado.")
    client.hum(20, speaking=True)
    client.hum(12, speaking=False)
    client.fails()


def deepgram() -> list[str]:
    """`/v1/listen`."""
    client = Conversation(DeepgramLive(LISTEN, REQUEST), '{"type":"Finalize"}', '{"type":"CloseStream"}')
    client.say('{"type":"KeepAlive"}')
    sentences(client, '{"type":"Finalize"}')
    client.say('{"type":"Configure","keyterms":["Sicoob"]}')
    client.say('{"type":"Dance"}')
    client.play([])
    return client.lines


def deepgram_flux() -> list[str]:
    """`/v2/listen`."""
    client = Conversation(DeepgramFlux(FLUX, REQUEST), '{"type":"ForceEndTurn"}', '{"type":"CloseStream"}')
    sentences(client, '{"type":"ForceEndTurn"}')
    client.say('{"type":"Configure","thresholds":{"eot_timeout_ms":5000}}')
    client.say('{"type":"Configure","keyterms":["Sicoob"]}')
    client.say('{"type":"Configure","keyterms":["120"]}')
    client.play([])
    return client.lines


def _append(pcm: bytes) -> str:
    """At 24 kHz."""
    pcm += pcm[: len(pcm) // 2]
    return f'{{"type":"input_audio_buffer.append","audio":"{b64encode(pcm).decode()}"}}'


def _realtime(update: str) -> list[str]:
    commit = '{"type":"input_audio_buffer.commit"}'
    client = Conversation(OpenAIRealtime("intent=transcription", REQUEST), commit, commit, encode=_append)
    client.say(update)
    sentences(client, commit)
    client.say('{"type":"input_audio_buffer.clear"}')
    client.say('{"type":"response.create","event_id":"event_of_the_client"}')
    client.play([])
    return client.lines


def openai_realtime() -> list[str]:
    """`/v1/realtime`, with the server's VAD and, in a second connection, with commits."""
    heard = '"format":{"type":"audio/pcm","rate":24000},"transcription":{"model":"whisper-1","language":"pt"}'
    update = '{"type":"session.update","session":{"type":"transcription","audio":{"input":{%s,"turn_detection":%s}}}}'
    return [line for vad in ('{"type":"server_vad"}', "null") for line in _realtime(update % (heard, vad))]


def openai_realtime_beta() -> list[str]:
    """The shapes of its beta."""
    heard = '{"input_audio_format":"pcm16","input_audio_transcription":{"model":"whisper-1","language":"pt"}}'
    update = f'{{"type":"transcription_session.update","session":{heard}}}'
    return _realtime(update)


def _form(asked: dict[str, str]) -> bytes:
    head = '--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n…\r\n--x--\r\n'
    return "".join([*(head % field for field in asked.items()), file]).encode()


def _upload(asked: dict[str, str]) -> list[str]:
    recording = OpenAITranscription(Asked(REQUEST, "multipart/form-data; boundary=x", "pt"))
    recording.open()
    try:
        recording.hear(_form(asked))
        recording.end()
        told = [
            recording.tell(final) for final in (_final("Bom dia a todos.", 1, 500.0), _final("Obrigado.", 2, 3000.0))
        ]
        answer = recording.answer(4.25)
    except Refused as refused:
        answer = as_answer(refused)
    body = answer.body.decode() if isinstance(answer, Answer) else "".join([*told, answer])
    is_json = isinstance(answer, Answer) and answer.content_type == "application/json"
    return [f'{{"asked":{json.dumps(asked)},"server":{body if is_json else json.dumps(body, ensure_ascii=False)}}}']


def _final(text: str, segment: int, start_ms: float) -> FinalTranscript:
    return FinalTranscript(
        session_id="s", segment_id=f"seg-{segment:04d}", text=text, confidence=0.9, words=words(text),
        audio_duration_ms=250.0 * len(text.split()), audio_start_ms=start_ms,
        timing=Timing(preprocess_ms=1, queue_wait_ms=1, inference_ms=1, postprocess_ms=1, server_total_ms=4),
    )  # fmt: skip


def openai_files() -> list[str]:
    """`POST /v1/audio/transcriptions` in every format, as a stream, refused; `GET /v1/models`."""
    asked: list[dict[str, str]] = [{"response_format": form} for form in openai_rest.FORMATS]
    asked += [{"response_format": "verbose_json", "timestamp_granularities[]": "word"}, {"stream": "true"}]
    asked += [{"response_format": "diarized_json"}]
    answers = [line for fields in asked for line in _upload({"model": "whisper-1", "language": "pt"} | fields)]
    models = openai_rest.models("large-v3-turbo", REQUEST).body.decode()
    return [*answers, f'{{"asked":"GET /v1/models","server":{models}}}']


class Native:
    """The service's own protocol, as if it were a dialect."""

    def open(self) -> Sequence[Step]:
        """Nothing is told by the handshake."""
        return []

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """As it is."""
        return [frame if isinstance(frame, bytes) else protocol.decode(frame)]

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """As it is."""
        return [Reply(protocol.encode(message))]

    def refuse(self, error: Error) -> Refused:
        """Never asked."""
        raise NotImplementedError


def native() -> list[str]:
    """`/ws/stt`."""
    flush = '{"type":"flush","flush_id":"turn-%d"}'
    client = Conversation(Native(), flush % 3, '{"type":"end_session"}')
    client.say('{"type":"start_session","session_id":"call-4711","config":{"lang_code":"pt-BR","format":"pt-BR"}}')
    sentences(client, flush % 1, flush % 2)
    client.say('{"type":"configure","turn_mode":"dictation","max_hold_ms":3000}')
    client.play([])
    return client.lines


CONVERSATIONS: dict[str, Callable[[], list[str]]] = {
    "deepgram": deepgram,
    "deepgram_flux": deepgram_flux,
    "openai_realtime": openai_realtime,
    "openai_realtime_beta": openai_realtime_beta,
    "openai_files": openai_files,
    "native": native,
}


def recorded(name: str) -> str:
    """The file of a conversation, as it should be."""
    return "".join(f"{line}\n" for line in CONVERSATIONS[name]())
