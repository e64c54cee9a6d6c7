"""The model behind its batcher, and whether it can be trusted: proven before any job, and again when a decode raises.

A decode may raise because of its segment, or because the device is broken, for good or now and then. A proof tells
them apart at once in most cases; the last decodes together tell in the others.
"""

import logging
import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from transcription.core.contract.jobs import Job, Kind, job_by_itself
from workers.batching import Batcher, Decoded
from workers.engines import cuda
from workers.engines.engine import Engine, EngineError, Hypothesis

logger = logging.getLogger(__name__)

PROOF_S = 3
"""How much audio a proof decodes."""
PROOFS = 2
"""How often a model that has just failed must decode with each beam: one that fails now and then may do it once."""
DECODES = 10
SEGMENTS = 3
"""Of the last `DECODES`, those of so many segments raised: it is not the segments."""


class UnfitError(Exception):
    """The model cannot decode; the message says why, in one sentence."""


class Decoder:
    """Decodes for any number of threads, until the model has shown that it cannot."""

    def __init__(self, engine: Engine, lanes: int) -> None:
        self.engine = engine
        self.unfit = ""
        """Why nothing is decoded any more."""
        self._batcher = Batcher(engine.decode, engine.max_batch, lanes)
        self.yielding = self._batcher.yielding
        self._lately: deque[str] = deque(maxlen=DECODES)
        """Of the last decodes, the audio of those that raised and an empty name for the others."""
        self._language, self._beam_size = "pt", 1
        self._proving = threading.Lock()

    def prove(self, language: str, beam_size: int) -> dict[Kind, Decoded]:
        """Decode near silence as a partial's beam and a final's do; by the kind with that beam.

        Both as partials: a final would doubt what it heard in noise and decode it again and again. Raises `UnfitError`.
        """
        self._language, self._beam_size = language, beam_size
        noise = np.random.default_rng(0).normal(0, 1e-3, PROOF_S * SAMPLE_RATE).astype(np.float32)
        proofs = {}
        for kind, beam in ((Kind.PARTIAL, 1), (Kind.FINAL, beam_size)):
            job = job_by_itself("proof", Kind.PARTIAL, language=language, beam_size=beam)
            try:
                proofs[kind] = self._decode(job, noise)
            except Exception as error:
                logger.debug("The proof failed", exc_info=True)
                where = f"{self.engine.device} as {self.engine.compute_type}"
                raise UnfitError(f"The model cannot decode on {where}: {sentence(error)}") from error
        return proofs

    def decode(self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None) -> Decoded:
        """What the model makes of the audio, beside that of the job's `before`.

        A decode that raises is tried again once the model is proven. Raises `EngineError`, `UnfitError`, and what the
        engine raised if it was the segment's fault.
        """
        try:
            return self._counted(job, audio, before)
        except (EngineError, UnfitError):
            raise
        except Exception:
            logger.warning("A decode failed", exc_info=True, extra=job.log_context())
            with self._proving:
                self._prove_again()
        return self._counted(job, audio, before)

    def require_fit(self) -> None:
        """Raises `UnfitError` once the model has failed."""
        if self.unfit:
            raise UnfitError(self.unfit)

    def why_unfit(self, decode_timeout_s: float) -> str:
        """Why it is of no use any more, or nothing: the model failed, a decode does not end, a lane has ended."""
        if self.unfit:
            return self.unfit
        if not self._batcher.whole():
            return "A lane has ended by itself"
        busy_s = self._batcher.busy_s()
        return f"A decode has taken {busy_s:.0f} s" if busy_s > decode_timeout_s else ""

    def close(self) -> None:
        """Stop after the batches in hand."""
        self._batcher.close()

    def _prove_again(self) -> None:
        self.require_fit()
        try:
            for _ in range(PROOFS):
                self.prove(self._language, self._beam_size)
        except UnfitError as error:
            self.unfit = str(error)
            raise

    def _counted(self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None) -> Decoded:
        self.require_fit()
        try:
            decoded = self._decode(job, audio, before)
        except EngineError:
            raise
        except Exception as error:
            self._lately.append(job.audio_key)
            if len(set(self._lately) - {""}) >= SEGMENTS:
                self.unfit = f"The model failed on {SEGMENTS} of the last segments: {sentence(error)}"
                raise UnfitError(self.unfit) from error
            raise
        self._lately.append("")
        return decoded

    def _decode(self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None) -> Decoded:
        prepared = self.engine.prepare(job, audio, before)
        if isinstance(prepared, Hypothesis):
            return Decoded(prepared, waited_s=0.0, decode_s=0.0, batch_size=0)
        return self._batcher.submit(prepared).result()


def sentence(error: Exception) -> str:
    """An exception in one line."""
    return " ".join(f"{type(error).__name__}: {cuda.meaning(error)}".split())[:300]
