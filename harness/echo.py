"""What the echo engine must answer: it tells what audio it was given, so a lost, doubled or foreign sample shows."""

import numpy as np

from workers.engines.echo import echo


def heard(pcm: bytes | bytearray) -> str:
    """What the echo engine says of these samples."""
    return echo(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0)
