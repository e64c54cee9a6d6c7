"""Several channels as one."""

import numpy as np
from numpy.typing import NDArray

OPPOSED = -0.5
"""Correlation with the loudest channel from which a channel works against it: a cable wired the wrong way round."""
SILENT = 1e-4
"""Power, as a share of the loudest channel's, below which a channel takes no share of the mix (-40 dB)."""
FADE = 160
"""Samples over which a change of what is mixed is faded in."""


class Mixer:
    """Mixes audio block by block. Channels that are silent, or would cancel the loudest out, are left out."""

    def __init__(self, channel: int | None = None) -> None:
        """Mix all channels, or take one: `channel` counts from 1."""
        self._channel = channel
        self._weights: NDArray[np.float64] | None = None

    def mix(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """A block's channels as one: (samples, channels) in, (samples,) out."""
        count = samples.shape[1]
        if count == 1 or not len(samples):
            return samples[:, 0]
        if self._channel:
            return samples[:, min(self._channel, count) - 1]
        weights = _weights(samples.astype(np.float64))
        before = weights if self._weights is None or len(self._weights) != count else self._weights
        self._weights = weights
        mixed = samples @ weights
        if (before != weights).any():
            part = samples[:FADE]
            new = np.linspace(0, 1, len(part))
            mixed[:FADE] = mixed[:FADE] * new + (part @ before) * (1 - new)
        return np.rint(mixed).astype(np.int16)


def _weights(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each channel's share of the mix."""
    swing = samples - samples.mean(axis=0)
    powers = (swing**2).sum(axis=0)
    loudest = powers.argmax()
    reach = np.sqrt(powers * powers[loudest])
    kept = (swing.T @ swing[:, loudest] >= OPPOSED * reach) & (powers >= SILENT * powers[loudest])
    return np.asarray(kept / kept.sum(), np.float64)
