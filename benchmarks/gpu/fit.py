"""From cells to the pace of a card, and to the line that admission would learn of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.gpu.rig import Cell
from workers.engines.pace import Pace
from workers.fitting import relative

FINAL_SILENCE_S, PARTIAL_SILENCE_S = 2.0, 1.0
"""Of a window, as `workers/engines/windows.py` has it."""


@dataclass(frozen=True, slots=True)
class Line:
    """What admission goes by (`core/contract/heartbeat.py`, `Cost`): linear in requests and in their audio."""

    base_ms: float
    request_ms: float
    audio_ms: float
    off: float
    """The share by which it is off where it is off most."""


def pace(cells: Sequence[Cell], name: str, device: str, compute_type: str, features_ms: float) -> Pace:
    """The coefficients that fit, each part by itself. Raises `ValueError` where a part was not measured."""
    encode = _fitted(cells, "encode", lambda c: (1, c.batch * c.window_s, c.batch * c.window_s**2))
    generate = _fitted(cells, "generate", lambda c: (1, c.tokens, c.tokens * c.batch * c.beam))
    align = _fitted(cells, "align", lambda c: (1, c.batch))
    return Pace(
        name=name,
        device=device,
        compute_type=compute_type,
        measured=True,
        encode_ms=encode[0],
        encode_audio_ms=encode[1],
        encode_square_ms=encode[2],
        generate_ms=generate[0],
        step_ms=generate[1],
        step_row_ms=generate[2],
        align_ms=align[0],
        align_each_ms=align[1],
        slowdown=slowdown(cells),
        features_ms=round(features_ms, 4),
    )


def slowdown(cells: Sequence[Cell]) -> tuple[float, ...]:
    """By how many times a batch takes longer with each number of lanes up to the most measured."""
    took = {cell.lanes: cell.ms for cell in cells if cell.part == "whole"}
    if 1 not in took:
        return (1.0,)
    lanes = sorted(took)
    return tuple(
        round(max(float(np.interp(n, lanes, [took[k] / took[1] for k in lanes])), 1.0), 3)
        for n in range(1, lanes[-1] + 1)
    )


def admission(found: Pace, batches: Sequence[int], windows: Sequence[float], *, final: bool, beam: int) -> Line:
    """The line through what such decodes take, batch by batch and window by window."""
    silence_s = FINAL_SILENCE_S if final else PARTIAL_SILENCE_S
    rows, took = [], []
    for batch in batches:
        for window_s in windows:
            audio_s = max(window_s - silence_s, 1.0)
            rows.append([1.0, batch, batch * audio_s])
            took.append(found.decode_ms(batch, window_s, audio_s, beam, final=final, words=final))
    values = np.array(took)
    line = relative(np.array(rows), values)
    off = float(np.max(np.abs(np.array(rows) @ line / values - 1)))
    base_ms, request_ms, audio_ms = (round(float(value), 3) for value in line)
    return Line(base_ms, request_ms, audio_ms, round(off, 3))


def _fitted(cells: Sequence[Cell], part: str, row: Callable[[Cell], tuple[float, ...]]) -> list[float]:
    chosen = [cell for cell in cells if cell.part == part]
    if not chosen:
        raise ValueError(f"{part} was not measured")
    found = relative(np.array([row(cell) for cell in chosen], dtype=float), np.array([cell.ms for cell in chosen]))
    return [round(float(value), 4) for value in found]


def worst(cells: Sequence[Cell], found: Pace) -> dict[str, float]:
    """By part, the share by which the pace is off where it is off most."""
    off: dict[str, float] = {}
    for cell in cells:
        match cell.part:
            case "encode":
                expected = found.encoding_ms(cell.batch, cell.window_s)
            case "generate":
                expected = found.generating_ms(cell.batch, cell.tokens, cell.beam)
            case "align":
                expected = found.aligning_ms(cell.batch)
            case _:
                continue
        off[cell.part] = max(off.get(cell.part, 0.0), round(abs(expected / cell.ms - 1), 3))
    return off
