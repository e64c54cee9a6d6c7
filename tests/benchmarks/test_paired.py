"""Pairs: the order of the runs, and what is said of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.figures import figures
from benchmarks.matching import measure
from benchmarks.paired import Variant, paired_json, paired_markdown, rounds
from benchmarks.results import Run
from tests.benchmarks.material import final, one_clip_script, partial, record_of


def run(latency_ms: float, errors: dict[str, int] | None = None) -> Run:
    """One session whose partial came so late."""
    messages = [(1.0 + latency_ms / 1000, partial("s1", 1_000.0)), (2.2, final("s1", 200.0, 1_800.0))]
    return Run(replace(figures(1, measure([record_of(one_clip_script(), messages)]), 300.0), errors=errors or {}), {})


def test_a_variant_is_a_name_settings_and_a_checkout() -> None:
    """All but the name may be left out."""
    assert Variant.parse("now") == Variant("now", {})
    assert Variant.parse("no batch: STT_MAX_BATCH=1 STT_LANES=2 @../old") == Variant(
        "no batch", {"STT_MAX_BATCH": "1", "STT_LANES": "2"}, Path("../old")
    )
    with pytest.raises(ValueError, match="expected SETTING=VALUE or @CHECKOUT, got nonsense"):
        Variant.parse("x: nonsense")


def test_every_other_round_goes_backwards() -> None:
    """So that a machine that grows slower hits both ends alike."""
    order: list[str] = []
    a, b = Variant("a", {}), Variant("b", {})

    runs = rounds([a, b], 3, lambda variant: order.append(variant.name) or run(100))

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [len(of) for of in runs.values()] == [3, 3]


def test_a_row_has_the_median_and_the_extremes_and_troubles_are_told() -> None:
    """Over the rounds, not over the pooled latencies."""
    runs = {"a": [run(100), run(500), run(200, {"QUEUE_FULL": 2})]}

    text = paired_markdown("1 talkers, ms", runs)

    assert "| a " in text
    assert "| 200 (100–500)" in text
    assert "- a: 2 QUEUE_FULL" in text
    assert paired_json([Variant("a", {"STT_LANES": "1"})], runs)[0]["settings"] == {"STT_LANES": "1"}
