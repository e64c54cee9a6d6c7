"""The command line of `python -m benchmarks gpu`."""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ctranslate2

from benchmarks.gpu import fit
from benchmarks.gpu.rig import Cell, Rig, features_ms
from workers.engines import cuda, pace, random_model

EMBEDDED = Path("~/.cache/whisper-stt/models/base").expanduser()
PARTIAL_BEAM, FINAL_BEAM = 1, 5
FEWEST_TOKENS = 4
"""CTranslate2 counts a prompt of four against the length, so fewer cannot be had."""
LANES_BATCH = 4
"""The batch that each lane decodes where several do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each shape in each compute type; returns the exit status."""
    asked = parse(arguments)
    if asked.device == "cuda" and not ctranslate2.get_cuda_device_count():
        raise SystemExit(f"There is no CUDA device: {cuda.why_none()}")
    asked.out.mkdir(parents=True, exist_ok=True)
    about = {"device": asked.device, "card": card(asked.device), "ctranslate2": ctranslate2.__version__}
    runs, texts = [], [f"## {about['card']}, CTranslate2 {ctranslate2.__version__}"]
    for name in asked.shapes:
        with tempfile.TemporaryDirectory(prefix="whisper-stt-gpu-", dir=asked.scratch) as scratch:
            directory = Path(scratch)
            if name == "real-base":
                directory, shape = EMBEDDED, random_model.SHAPES["base"]
            else:
                shape = random_model.SHAPES[name]
                random_model.write(shape, directory)
            for compute_type in asked.compute_types:
                try:
                    run, text = one(asked, name, directory, shape, compute_type)
                except (cuda.CudaUnavailable, RuntimeError, ValueError) as error:
                    run, text = {"shape": name, "compute_type": compute_type}, f"### {name}, {compute_type}"
                    run["failed"] = cuda.meaning(error)
                    text += f"\n\nNot measured: {run['failed']}"
                runs.append(run)
                texts.append(text)
                # after each, so that a run that is cut short leaves what it has
                (asked.out / "gpu.json").write_text(json.dumps(about | {"runs": runs}, indent=1) + "\n")
                (asked.out / "gpu.md").write_text("\n\n".join(texts) + "\n")
                sys.stdout.write(text + "\n\n")
                sys.stdout.flush()
    return 1 if any("failed" in run for run in runs) else 0


def one(
    asked: argparse.Namespace, name: str, directory: Path, shape: random_model.Shape, compute_type: str
) -> tuple[dict[str, Any], str]:
    """One shape in one compute type: cells, pace and admission's lines, as JSON and as Markdown."""
    rig = Rig(
        directory, shape, asked.device, compute_type,
        lanes=max(asked.lanes), threads=asked.threads, repeats=asked.repeats,
    )  # fmt: skip
    loaded_mb = rig.memory_mb()
    cells = measured(asked, rig)
    most_mb = rig.memory_mb()
    label = f"{name} on {card(asked.device)}"
    found = fit.pace(cells, label, asked.device, rig.compute_type, features_ms(shape.mels, asked.repeats))
    pace.write(found, asked.out / f"pace-{name}-{rig.compute_type}.json")
    lines = {
        kind: fit.admission(found, asked.batches, asked.windows, final=kind == "final", beam=beam)
        for kind, beam in (("partial", PARTIAL_BEAM), ("final", FINAL_BEAM))
    }
    off = fit.worst(cells, found)
    run = {
        "shape": name,
        "compute_type": rig.compute_type,
        "loaded_mb": loaded_mb,
        "most_mb": most_mb,
        "cells": [asdict(cell) for cell in cells],
        "pace": asdict(found),
        "off": off,
        "admission": {kind: asdict(line) for kind, line in lines.items()},
    }
    return run, markdown(f"{name}, {rig.compute_type}", cells, found, off, lines, (loaded_mb, most_mb))


def measured(asked: argparse.Namespace, rig: Rig) -> list[Cell]:
    """Every cell; tokens, beams and alignment on the shortest window alone, which they do not depend on."""
    short, (few, many) = min(asked.windows), asked.tokens
    cells = [rig.encode(batch, window) for window in asked.windows for batch in asked.batches]
    for batch in asked.batches:
        cells += [rig.generate(batch, short, tokens, beam) for beam in asked.beams for tokens in (few, many)]
        cells.append(rig.align(batch, short, few))
    return cells + [rig.whole(lanes, LANES_BATCH, short, few, FINAL_BEAM) for lanes in asked.lanes]


def markdown(
    title: str, cells: Sequence[Cell], found: pace.Pace, off: dict[str, float], lines: dict[str, fit.Line],
    memory: tuple[int, int],
) -> str:  # fmt: skip
    """Three tables, and what was fitted to them."""
    batches = sorted({cell.batch for cell in cells if cell.part == "encode"})
    windows = sorted({cell.window_s for cell in cells if cell.part == "encode"})
    at = {(c.part, c.batch, c.window_s, c.tokens, c.beam): c.ms for c in cells}
    encode = [[f"{w:g} s", *(_ms(at.get(("encode", b, w, 0, 1))) for b in batches)] for w in windows]
    kinds = sorted({(c.tokens, c.beam) for c in cells if c.part == "generate"})
    short = windows[0]
    generate = [
        [f"{n} tokens, beam {k}", *(_ms(at.get(("generate", b, short, n, k))) for b in batches)] for n, k in kinds
    ]
    aligned = {c.batch: c.ms for c in cells if c.part == "align"}
    generate.append(["words aligned", *(_ms(aligned.get(b)) for b in batches)])
    head = [f"batch {b}" for b in batches]
    lanes = [[c.lanes, _ms(c.ms), f"{c.lanes * c.batch / c.ms * 1000:.1f}"] for c in cells if c.part == "whole"]
    costs = [[k, line.base_ms, line.request_ms, line.audio_ms, f"{line.off:.0%}"] for k, line in lines.items()]
    fitted = ", ".join(f"{part} {share:.0%}" for part, share in off.items())
    return "\n\n".join(
        [
            f"### {title}",
            f"Memory {memory[0]} MB loaded, {memory[1]} MB at most; features {found.features_ms:.2f} ms of the host's "
            "processor a second of window.",
            _table(["encode, ms", *head], encode),
            _table(["generate, ms", *head], generate),
            _table(["lanes", f"ms a batch of {LANES_BATCH}", "finals/s"], lanes),
            f"The pace is off by at most: {fitted}.",
            _table(["admission's line", "a batch, ms", "a request, ms", "a second, ms", "off at most"], costs),
        ]
    )


def card(device: str) -> str:
    """The device's name."""
    if device == "cuda":
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            named = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
            return named[0].replace(", ", ", driver ") if named else "a CUDA device"
        except (OSError, subprocess.CalledProcessError):
            return "a CUDA device"
    return f"a CPU ({platform.machine()})"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What to measure; by default all there is, for which a card takes some minutes a shape."""
    parser = argparse.ArgumentParser("python -m benchmarks gpu", description=main.__doc__)
    has_card = ctranslate2.get_cuda_device_count() > 0
    add = parser.add_argument
    add("--device", choices=("cuda", "cpu"), default="cuda" if has_card else "cpu", help="(a card, if there is one)")
    add("--shapes", type=_names, help=f"of {', '.join(random_model.SHAPES)}, real-base (on a card all, else tiny)")
    add("--compute-types", type=_names, help="(float16,int8_float16 on a card; int8)")
    add("--batches", type=_numbers, default=(1, 2, 4, 8, 16, 32, 64))
    add("--windows", type=_numbers, default=(5, 10, 15, 20, 30), help="seconds")
    add("--beams", type=_numbers, default=(PARTIAL_BEAM, FINAL_BEAM))
    add("--tokens", type=_numbers, default=(20, 60), help="two numbers of tokens: 4 s of speech, and 12 s")
    add("--lanes", type=_numbers, default=(1, 2, 4), help="batches decoded at a time")
    add("--threads", type=int, default=1, help="of a lane, on a CPU (1)")
    add("--repeats", type=int, default=5, help="of each cell, at least (5)")
    add("--out", type=Path, default=Path(__file__).parents[1] / "out", help="where reports go (benchmarks/out)")
    add("--scratch", type=Path, help="where models are written: 3.1 GB for large-v3 (the system's)")
    asked = parser.parse_args(arguments)
    models = [*random_model.SHAPES, *(["real-base"] if EMBEDDED.is_dir() else [])]
    on_card = asked.device == "cuda"
    asked.shapes = asked.shapes or (models if on_card else ["tiny"])
    asked.compute_types = asked.compute_types or (["float16", "int8_float16"] if on_card else ["int8"])
    if unknown := [name for name in asked.shapes if name not in models]:
        parser.error(f"--shapes: expected some of {', '.join(models)}, got {unknown[0]}")
    if len(asked.tokens) != 2 or min(asked.tokens) < FEWEST_TOKENS:
        parser.error(f"--tokens: expected two numbers, from {FEWEST_TOKENS} on")
    return asked


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _table(headers: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
