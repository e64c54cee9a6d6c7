"""Where in a clip there is speech, by energy alone.

The service's own VAD must not be the judge of when speech ended: latency is counted from the true end.
"""

import numpy as np

WINDOW = 160
"""Samples a decision stands for: 10 ms at 16 kHz."""

BELOW_LOUD_DB = 25.0
"""Speech is at most so far below the clip's loud windows; soft last syllables lie 15 to 25 dB below them."""
ABOVE_FLOOR_DB = 8.0
"""In a noisy clip, speech is also at least so far above its quiet windows ..."""
FLOOR_CAP_DB = 12.0
"""... but never asked to come nearer to the loud ones than this: a clip without pauses has no quiet windows."""
SMOOTHED_OVER = 5
"""Windows a level is averaged over: background noise fluctuates by 10 dB from one to the next, speech lasts."""
SHORTEST = 3
"""Windows in a row that make speech; a click is shorter."""


def active_frames(pcm: np.ndarray) -> np.ndarray:
    """Whether each 10 ms is speech: bool of shape `(samples // 160,)` for int16 `pcm` of shape `(samples,)`."""
    count = len(pcm) // WINDOW
    power = np.mean(np.square(pcm[: count * WINDOW].reshape(count, WINDOW).astype(np.float64)), axis=1)
    if not np.any(power):
        return np.zeros(count, dtype=bool)
    level = _decibels(power)
    smooth = _decibels(np.convolve(power, np.full(SMOOTHED_OVER, 1 / SMOOTHED_OVER))[SMOOTHED_OVER // 2 :][:count])
    loud, floor = np.percentile(smooth, 95), np.percentile(smooth, 10)
    threshold = max(loud - BELOW_LOUD_DB, min(floor + ABOVE_FLOOR_DB, loud - FLOOR_CAP_DB))
    # averaging widens loud stretches by 20 ms at each end; the window's own level takes that back
    return _without_clicks((smooth >= threshold) & (level >= threshold))


def span(active: np.ndarray) -> tuple[int, int]:
    """First and one past the last sample of speech; `(0, 0)` when there is none."""
    where = np.flatnonzero(active)
    return (int(where[0]) * WINDOW, (int(where[-1]) + 1) * WINDOW) if len(where) else (0, 0)


def _decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(power + 1e-3)


def _without_clicks(active: np.ndarray) -> np.ndarray:
    """Keep only runs of `SHORTEST` windows or more (a morphological opening)."""
    if len(active) < SHORTEST:
        return np.zeros_like(active)
    whole = np.lib.stride_tricks.sliding_window_view(active, SHORTEST).all(axis=1)
    return np.convolve(whole, np.ones(SHORTEST, dtype=int)) > 0
