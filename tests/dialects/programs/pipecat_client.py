"""Runs pipecat's services, each in a pipeline of its own, in the environment that `make test-clients` makes for it.

It is told by lines of JSON what to do and tells by lines of JSON what came out: `test_pipecat.py` is at the other end.

- `{"id", "do": "open", "service", "url", "key", "settings"?, "options"?, "vad"?}` starts a pipeline: the service, after
  pipecat's own Silero where `vad` is true. With `"code"` the service is what Python calls `service` after running that.
- `{"id", "do": "speak", "pcm", "loop"?}` plays a file of 16-bit PCM at 16 kHz in real time, once or to the end.
- `{"id", "do": "stopped"}` is what a VAD says when speech has ended.
- `{"id", "do": "close"}` ends the pipeline.
- Out: `{"id", "frame", "text"?, "finalized"?, "error"?}` for each frame of `TOLD`, and `{"id", "frame": "Closed"}`.
"""

import asyncio
import itertools
import json
import sys
from pathlib import Path
from typing import Any

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    StartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.services.stt_service import STTService
from pipecat.workers.runner import WorkerRunner

RATE = 16_000
FRAME = RATE // 25 * 2
"""Bytes of 40 ms."""
TOLD = (
    StartFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    EagerTranscriptionFrame,
    EagerEndOfTurnCancelFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
"""Downstream; upstream there are errors."""
SERVICES: dict[str, tuple[Any, str]] = {
    "deepgram": (DeepgramSTTService, "base_url"),
    "flux": (DeepgramFluxSTTService, "url"),
    "realtime": (OpenAIRealtimeSTTService, "base_url"),
}
"""With the name that each has for the address."""


def tell(run: str, frame: str, **more: object) -> None:
    """A line for the test."""
    sys.stdout.write(json.dumps({"id": run, "frame": frame, **more}) + "\n")
    sys.stdout.flush()


class Teller(FrameProcessor):
    """Tells the frames that go through it in one direction."""

    def __init__(self, run: str, direction: FrameDirection) -> None:
        super().__init__(enable_direct_mode=True)
        self._run, self._direction = run, direction

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass it on."""
        await super().process_frame(frame, direction)
        upwards = self._direction is FrameDirection.UPSTREAM
        # what is broadcast goes both ways, and is told once
        if direction == self._direction and isinstance(frame, ErrorFrame if upwards else TOLD):
            more = {name: getattr(frame, name) for name in ("text", "finalized", "error") if hasattr(frame, name)}
            tell(self._run, type(frame).__name__, **more)
        await self.push_frame(frame, direction)


class Run:
    """One pipeline."""

    def __init__(self, name: str, service: STTService, *, vad: bool) -> None:
        self._name, self._over = name, False
        detector = [VADProcessor(vad_analyzer=SileroVADAnalyzer())] if vad else []
        up, down = Teller(name, FrameDirection.UPSTREAM), Teller(name, FrameDirection.DOWNSTREAM)
        rates = PipelineParams(audio_in_sample_rate=RATE)
        self._worker = PipelineWorker(
            Pipeline([up, *detector, service, down]), params=rates, cancel_on_idle_timeout=False, enable_rtvi=False
        )

    async def serve(self) -> None:
        """To its end."""
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        await runner.run()
        tell(self._name, "Closed")

    async def speak(self, pcm: bytes, *, loop: bool) -> None:
        """In real time."""
        clock = asyncio.get_running_loop().time
        began = clock()
        frames = [pcm[at : at + FRAME] for at in range(0, len(pcm), FRAME)]
        for n, frame in enumerate(itertools.cycle(frames) if loop else frames):
            await asyncio.sleep(began + n * 0.04 - clock())
            if self._over:
                break
            await self._queue(InputAudioRawFrame(frame, RATE, 1))

    async def stop_speaking(self) -> None:
        """As a VAD says it."""
        await self._queue(VADUserStartedSpeakingFrame())
        await self._queue(VADUserStoppedSpeakingFrame())

    async def close(self) -> None:
        """The pipeline ends."""
        self._over = True
        await self._queue(EndFrame())

    async def _queue(self, frame: Frame) -> None:
        await self._worker.queue_frame(frame)


def service(told: dict[str, Any]) -> STTService:
    """As an application makes it."""
    if code := told.get("code"):
        made: dict[str, Any] = {}
        exec(code, made)
        return made[told["service"]]
    kind, address = SERVICES[told["service"]]
    settings = kind.Settings(**told.get("settings", {}))
    return kind(api_key=told["key"], settings=settings, **{address: told["url"]}, **told.get("options", {}))


async def main() -> None:
    """Until stdin ends."""
    runs: dict[str, Run] = {}
    tasks: set[asyncio.Task[None]] = set()

    def begin(work: Any) -> None:
        tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(tasks.discard)

    def read() -> dict[str, Any] | None:
        line = sys.stdin.readline()
        return json.loads(line) if line else None

    while (told := await asyncio.to_thread(read)) is not None:
        match told["do"]:
            case "open":
                runs[told["id"]] = run = Run(told["id"], service(told), vad=told.get("vad", False))
                begin(run.serve())
            case "speak":
                begin(runs[told["id"]].speak(Path(told["pcm"]).read_bytes(), loop=told.get("loop", False)))
            case "stopped":
                begin(runs[told["id"]].stop_speaking())
            case "close":
                begin(runs[told["id"]].close())


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(main())
