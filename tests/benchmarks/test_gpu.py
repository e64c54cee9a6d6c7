"""The device's benchmark, on the CPU with a model of random weights, and the pace that is fitted to it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import cli, fit
from benchmarks.gpu.rig import Cell
from workers.engines import pace, random_model
from workers.engines.pace import Pace

ROOT = Path(__file__).parents[2]
SMALL = ["--batches", "1,2", "--windows", "5,10", "--lanes", "1,2", "--repeats", "2", "--tokens", "4,8"]
NOT_GIVEN = (
    "av",
    "torch",
    "django",
    "msgspec",
    "tabulate",
    "websockets",
    "psutil",
    "celery",
    "redis",
)
"""What may not be imported: neither there where the benchmark is to run, nor wanted."""


def test_it_runs_with_the_given_wheels_alone(tmp_path: Path) -> None:
    """The whole of it, as a program for which nothing else is installed."""
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({NOT_GIVEN!r}))\n"
    (tmp_path / "run.py").write_text(
        f"{blocked}sys.argv = ['benchmarks', 'gpu', '--device', 'cpu', *{SMALL!r}, '--out', {str(tmp_path)!r}]\n"
        "import runpy\nrunpy.run_module('benchmarks', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "run.py"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (run,) = json.loads((tmp_path / "gpu.json").read_text())["runs"]
    assert {cell["part"] for cell in run["cells"]} == {"encode", "generate", "align", "whole"}
    assert min(cell["ms"] for cell in run["cells"]) > 0
    assert run["most_mb"] >= run["loaded_mb"] > 0
    assert run["pace"]["features_ms"] > 0
    assert (tmp_path / "gpu.md").read_text().count("| batch 2 |") == 2
    read = pace.read(tmp_path / "pace-tiny-int8_float32.json")
    assert read.measured
    assert len(read.slowdown) == 2


def test_a_compute_type_that_the_device_has_not_is_told_and_the_rest_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run on a card costs money."""
    arguments = ["--device", "cpu", "--compute-types", "float16,int8", *SMALL, "--out", str(tmp_path)]

    assert cli.main(arguments) == 1
    failed, done = json.loads((tmp_path / "gpu.json").read_text())["runs"]
    assert "STT_COMPUTE_TYPE=float32" in failed["failed"]
    assert done["pace"]["measured"]
    assert "Not measured" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--shapes", "huge"], ["--tokens", "4"], ["--tokens", "2,8"]])
def test_what_cannot_be_measured_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parse(wrong)

    assert "expected" in capsys.readouterr().err


CARD = Pace(
    name="a card", device="cuda", compute_type="float16", measured=True, encode_ms=2.0, encode_audio_ms=0.4,
    encode_square_ms=0.01, generate_ms=3.0, step_ms=0.9, step_row_ms=0.02, align_ms=4.0, align_each_ms=0.5,
    slowdown=(1.0, 1.5, 2.0),
)  # fmt: skip


def cells(noise: float = 0.0) -> list[Cell]:
    """What such a card would have measured."""
    random = np.random.default_rng(0)
    found = []
    for batch in (1, 4, 16, 64):
        found += [Cell("encode", CARD.encoding_ms(batch, w), batch, w) for w in (5, 10, 30)]
        found += [
            Cell("generate", CARD.generating_ms(batch, n, beam), batch, 5, n, beam) for n in (20, 60) for beam in (1, 5)
        ]
        found.append(Cell("align", CARD.aligning_ms(batch), batch, 5))
    found += [Cell("whole", 20.0, lanes=1), Cell("whole", 40.0, lanes=3)]
    return [Cell(**{f: getattr(c, f) for f in c.__slots__} | {"ms": c.ms * random.normal(1, noise)}) for c in found]


def test_the_pace_of_a_card_is_found_in_what_it_took() -> None:
    """Each coefficient; lanes that were not measured lie between those that were."""
    found = fit.pace(cells(), "a card", "cuda", "float16", 0.0)

    for name in ("encode_ms", "encode_audio_ms", "encode_square_ms", "generate_ms", "step_ms", "step_row_ms",
                 "align_ms", "align_each_ms"):  # fmt: skip
        assert getattr(found, name) == pytest.approx(getattr(CARD, name), rel=0.01), name
    assert found.slowdown == CARD.slowdown
    assert max(fit.worst(cells(), found).values()) < 0.01


def test_noise_is_told_in_the_share_it_is_off() -> None:
    """And no coefficient is negative."""
    found = fit.pace(cells(noise=0.1), "a card", "cuda", "float16", 0.0)

    assert max(fit.worst(cells(noise=0.1), found).values()) > 0.02
    assert min(found.encode_ms, found.encode_audio_ms, found.step_ms, found.align_each_ms) >= 0


def test_a_final_costs_more_than_a_partial_and_a_batch_less_than_its_requests() -> None:
    final = CARD.decode_ms(1, 10, 8, 5, final=True, words=True)
    partial = CARD.decode_ms(1, 10, 8, 1, final=False, words=False)
    eight = CARD.decode_ms(8, 10, 8, 5, final=True, words=True)

    assert partial < final < eight < 8 * final


def test_admissions_line_is_exact_for_one_length_and_says_how_far_it_is_off_for_many() -> None:
    """Tokens cost their time whatever the batch, which the line has no coefficient for."""
    one = fit.admission(CARD, (1, 2, 4, 8), (10,), final=True, beam=5)
    many = fit.admission(CARD, (1, 2, 4, 8), (5, 10, 15, 30), final=True, beam=5)
    eight = CARD.decode_ms(8, 10, 8, 5, final=True, words=True)

    assert one.base_ms + 8 * (one.request_ms + 8 * one.audio_ms) == pytest.approx(eight, rel=0.01)
    assert one.off < 0.01 < many.off


def test_a_part_that_was_not_measured_is_named() -> None:
    with pytest.raises(ValueError, match="align was not measured"):
        fit.pace([c for c in cells() if c.part != "align"], "a card", "cuda", "float16", 0.0)


def test_a_random_model_is_as_large_as_the_real_one(tmp_path: Path) -> None:
    """Two bytes a parameter and some names: the embedded `base` has 145,217,532 bytes."""
    random_model.write(random_model.SHAPES["base"], tmp_path)

    assert (tmp_path / "model.bin").stat().st_size == pytest.approx(145_217_532, rel=1e-5)


def test_nothing_else_is_imported_by_it() -> None:
    """By name, wherever it may be imported from."""
    for module in (ROOT / "benchmarks" / "gpu").glob("*.py"):
        tree = ast.parse(module.read_text())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not {name.partition(".")[0] for name in names} & set(NOT_GIVEN), module.name
