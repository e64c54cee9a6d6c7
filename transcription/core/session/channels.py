"""Several channels of one session, each heard by itself: to the session they are what one `Recognition` is.

The client sends a sample of each in turn. Each channel has its own VAD, utterances and finals, in order of its speech,
and its own bounds; its messages say which it is. Between channels finals come as they are answered. They share the
connection, the record and the checkpoint that another connection goes on from.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import msgspec
import numpy as np

from transcription.core.config import SAMPLE_RATE, SessionConfig
from transcription.core.containers import WAVE_HEADER, file_of, wave_header
from transcription.core.contract.jobs import Result
from transcription.core.protocol import Error, ErrorCode, FinalTranscript
from transcription.core.resuming import FRESH, Checkpoint, channel_of
from transcription.core.session.effects import Effect, SaveCheckpoint, Send
from transcription.core.session.framing import Framing
from transcription.core.session.language import SpokenLanguage
from transcription.core.session.recognition import Recognition, Tools
from transcription.core.session.replies import Identity
from transcription.core.session.segmenter import Hearing
from transcription.core.session.trace import EventLog


class Channels:
    """The recognitions of a session's channels."""

    def __init__(
        self,
        who: Identity,
        config: SessionConfig,
        tools: Tools,
        log: EventLog,
        now: float,
        checkpoint: Checkpoint = FRESH,
    ) -> None:
        """As a `Recognition`; of `checkpoint` each channel goes on from its own."""
        own = checkpoint.channels or (FRESH,) * config.channels
        self._checkpoint = Checkpoint(channels=own, order=checkpoint.order)
        self._channels = [
            Recognition(replace(who, channel=n), config, tools, log, now, each) for n, each in enumerate(own)
        ]
        self._who, self._config, self._log = who, config, log
        self._head = b""
        """The stream's beginning, as far as it is looked at."""
        self._is_file = False
        """Whether it is a file that holds no samples."""
        self._sample_bytes = config.encoding.sample_bytes
        self._framing = Framing(self._sample_bytes * config.channels)
        first = min(each.position for each in own)
        self._heard_before = [
            (each.position - first) * config.sample_rate // SAMPLE_RATE * self._sample_bytes for each in own
        ]
        """Bytes of each to come that are answered already: the client goes on where the earliest is not."""
        self._flushes: dict[str, int] = {}
        """Those asked for by name: how many channels have not answered."""

    # How they stand

    @property
    def language(self) -> SpokenLanguage:
        """That of the first."""
        return self._channels[0].language

    @property
    def segments(self) -> int:
        """Of all."""
        return sum(channel.segments for channel in self._channels)

    @property
    def talkers(self) -> int:
        """How many have an open utterance."""
        return sum(channel.talkers for channel in self._channels)

    @property
    def audio_ms(self) -> float:
        """Audio accepted of each (ms)."""
        return min(channel.audio_ms for channel in self._channels)

    @property
    def saturated(self) -> bool:
        """Whether no more should be read: they come together."""
        return any(channel.saturated for channel in self._channels)

    @property
    def answered(self) -> bool:
        """Whether no final of any is awaited."""
        return all(channel.answered for channel in self._channels)

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited."""
        return self._channels[channel_of(segment_id)].audio_of(segment_id)

    def audio_stored(self, segment_id: str, samples: int) -> None:
        """So many samples of a segment are in Redis."""
        self._channels[channel_of(segment_id)].audio_stored(segment_id, samples)

    def checkpoint(self) -> list[Effect]:
        """Note how far the answers go."""
        return list(self._joined(0, self._channels[0].checkpoint()))

    # What is said

    def hear(self, frame: bytes, now: float) -> Hearing[list[Effect]]:
        """Take the stream's next bytes: a sample of each channel in turn."""
        raw = self._framing.take(frame)
        effects = self._tell_file(raw)
        frames = np.frombuffer(b"" if self._is_file else raw, f"V{self._sample_bytes}").reshape(-1, len(self._channels))
        for n, channel in enumerate(self._channels):
            own = frames[:, n].tobytes()
            before = min(self._heard_before[n], len(own))
            self._heard_before[n] -= before
            effects += self._joined(n, (yield from channel.hear(own[before:], now)))
        return effects

    def configure(self, config: SessionConfig) -> None:
        """All go by other options."""
        for channel in self._channels:
            channel.configure(config)

    def leave_out(self, size: int, now: float) -> list[Effect]:
        """So many bytes of the stream are refused: of no channel a final spans the hole."""
        self._framing.leave_out(size)
        return self.flush(now)

    def flush(self, now: float, flush_id: str | None = None) -> list[Effect]:
        """Declare an endpoint in all; the last answer to a flush with a name is the one that has it."""
        if flush_id is not None:
            self._flushes[flush_id] = len(self._channels)
        return self._each(lambda channel: channel.flush(now, flush_id))

    def await_audio(self, now: float) -> list[Effect]:
        """Time passed in which audio should have come."""
        return self._each(lambda channel: channel.await_audio(now))

    def abandon(self) -> tuple[str, ...]:
        """Forget the open utterances; returns the segments that will not be answered now."""
        return tuple(segment_id for channel in self._channels for segment_id in channel.abandon())

    # What the service answers

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker has answered a job of one of them."""
        n = channel_of(result.segment_id)
        return list(self._joined(n, self._channels[n].receive_result(result, now)))

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """Nobody has these finals any more, or the worker that had them is dead."""
        return self._each(lambda channel: channel.receive_loss(job_ids, now, worker_died=worker_died))

    def shed(self, step: int) -> list[Effect]:
        """All give way; the client is told once."""
        first, *others = self._channels
        for other in others:
            other.give_way(step)
        return first.shed(step)

    def tick(self, now: float, queue_wait_s: float) -> list[Effect]:
        """Time passed: what is overdue is sent again, checked on or given up."""
        return self._each(lambda channel: channel.tick(now, queue_wait_s))

    # Inside

    def _tell_file(self, raw: bytes) -> list[Effect]:
        """Say, once, that the stream begins as a file does; a channel by itself cannot see it."""
        if len(self._head) >= WAVE_HEADER or not raw:
            return []
        self._head += raw[: WAVE_HEADER - len(self._head)]
        config, count = self._config, len(self._channels)
        wave = wave_header(self._head, config.sample_rate, config.encoding, count)
        named = None if wave else file_of(self._head, is_whole=False)
        if not (found := wave or named):
            return []
        self._head, self._is_file = self._head.ljust(WAVE_HEADER), named is not None
        expected = f"{count} channels in turn at {config.sample_rate} Hz, without a header"
        message = f"The audio looks like {found}: expected {expected}{'; it is not heard' * self._is_file}"
        self._log.error(self.audio_ms, ErrorCode.INVALID_MESSAGE, message)
        return [Send(Error(code=ErrorCode.INVALID_MESSAGE, message=message, session_id=self._who.session_id))]

    def _each(self, do: Callable[[Recognition], list[Effect]]) -> list[Effect]:
        return [effect for n, channel in enumerate(self._channels) for effect in self._joined(n, do(channel))]

    def _joined(self, n: int, effects: list[Effect]) -> Iterator[Effect]:
        """What a channel wants done, as the session wants it."""
        for effect in effects:
            match effect:
                case SaveCheckpoint(checkpoint=checkpoint):
                    self._checkpoint = self._checkpoint.joined(n, checkpoint)
                    yield replace(effect, checkpoint=self._checkpoint)
                case Send(message=FinalTranscript() | Error() as message) if message.flush_id:
                    yield Send(message if self._is_last(message.flush_id) else _without_flush(message))
                case _:
                    yield effect

    def _is_last(self, flush_id: str) -> bool:
        """Whether nobody but the channel that answers now is to answer a flush."""
        self._flushes[flush_id] = left = self._flushes.get(flush_id, 1) - 1
        if not left:
            del self._flushes[flush_id]
        return not left


def _without_flush(message: FinalTranscript | Error) -> FinalTranscript | Error:
    nothing = msgspec.UNSET if isinstance(message, FinalTranscript) else None
    return msgspec.structs.replace(message, flush_id=nothing)
