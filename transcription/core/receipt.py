"""The latency receipt of a transcript: where its time went."""

from transcription.core.jobs import Transcript
from transcription.core.protocol import Timing


def timing(result: Transcript, total_s: float) -> Timing:
    """The web process's own clock gives the total, the worker's durations its parts; the rest was waiting."""
    total_ms = max(total_s * 1000, 0.0)
    worked = [result.preprocess_ms, result.inference_ms, result.postprocess_ms]
    waited = max(total_ms - sum(worked), 0.0)
    preprocess, inference, postprocess, waited = (round(part, 2) for part in (*worked, waited))
    return Timing(
        preprocess_ms=preprocess,
        queue_wait_ms=waited,
        inference_ms=inference,
        postprocess_ms=postprocess,
        server_total_ms=round(preprocess + waited + inference + postprocess, 2),
    )
