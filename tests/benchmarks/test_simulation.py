"""The simulated service: its queues against the theory of queues, and its rules, which are the service's own."""

import dataclasses
import itertools
import random
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import clips
from benchmarks.options import Options
from benchmarks.schedule import conversation
from benchmarks.simulation import cli, service
from benchmarks.simulation.agreement import Row
from benchmarks.simulation.cell import Cell, Plan
from benchmarks.simulation.clock import Clock, Server
from benchmarks.simulation.run import Outcome, run
from benchmarks.simulation.service import Service
from benchmarks.simulation.speech import Speech, Utterance, heard, spoken
from benchmarks.simulation.talkers import Balancer, Saying, Talker, Tally
from transcription.core.config import Limits, SessionConfig
from transcription.core.contract.jobs import Kind, job_by_itself
from transcription.core.protocol import ErrorCode
from workers.engines import echo, pace
from workers.engines.pace import Pace

CONFIG = SessionConfig()
NOTHING = Service(web_session=0, web_job_ms=0, redis_session=0, redis_job_ms=0, worker_job_ms=0, ways_ms=0)
"""Parts that take no time, so that only the card does."""
CARD = Pace(
    name="a card", device="cuda", compute_type="float16", measured=False, encode_ms=20.0, encode_audio_ms=1.0,
    encode_square_ms=0.0, generate_ms=0.0, step_ms=1.0, step_row_ms=0.1, align_ms=5.0, align_each_ms=1.0,
)  # fmt: skip
UNLIMITED = Limits(max_sessions=10**6, max_queue_depth=10**6, max_estimated_server_total_ms=1e9)
PLANNED = ("limits", "cards", "lanes", "least_final_window_s")
ONE = Speech(6.0, (Utterance(1.0, 1.5, ((4.15, None),), 4.5, 3.5),))
"""An utterance of 3.5 s, its last pause found 350 ms before its endpoint."""


def simulated(
    talkers: int, cells: int = 1, *, card: Pace = CARD, seconds: float = 20.0, config: SessionConfig = CONFIG,
    **options: object,
) -> Outcome:  # fmt: skip
    """A run with parts that take no time."""
    plan = Plan(**{"limits": UNLIMITED} | {k: options.pop(k) for k in PLANNED if k in options})
    return run(talkers, cells, plan, card, NOTHING, [ONE], config, seconds=seconds, **options)


def test_events_happen_in_the_order_of_their_times() -> None:
    """Of two at one time the first asked for is first; what is past happens now."""
    clock, seen = Clock(), []
    clock.at(2.0, lambda: seen.append("c"))
    clock.at(1.0, lambda: (seen.append("a"), clock.at(0.5, lambda: seen.append(f"late at {clock.now}"))))
    clock.at(1.0, lambda: seen.append("b"))
    clock.at(9.0, lambda: seen.append("never"))

    clock.run(5.0)

    assert seen == ["a", "b", "late at 1.0", "c"]
    assert clock.now == 5.0


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_a_server_makes_what_comes_at_random_wait_as_theory_has_it(load: float) -> None:
    """M/D/1 (Pollaczek, 1930): the mean wait is load / (2 (1 - load)) of a service."""
    clock, waits = Clock(), []
    server, chance = Server(clock), random.Random(1)
    at = 0.0
    for _ in range(60_000):
        at += chance.expovariate(load)
        clock.at(at, lambda came=at: server.serve(1.0, lambda: waits.append(clock.now - came - 1.0)))

    clock.run(at + 1000)

    assert sum(waits) / len(waits) == pytest.approx(load / (2 * (1 - load)), rel=0.1)
    assert server.share(at) == pytest.approx(load, rel=0.02)


def test_what_is_always_there_makes_work_take_longer() -> None:
    """A core half taken by frames does a job in twice the time; one all taken still ends it."""
    clock, ended = Clock(), []
    server = Server(clock)
    server.always = 0.5
    server.serve(1.0, lambda: ended.append(clock.now))
    clock.run(10.0)
    server.always = 7.0
    server.serve(0.01, lambda: ended.append(clock.now))
    clock.run(20.0)

    assert ended == [2.0, pytest.approx(11.0)]


def test_a_partial_takes_what_the_card_does_and_a_final_is_there_at_its_endpoint() -> None:
    """Asked for 350 ms before it, and done in less."""
    outcome = simulated(1)

    partial = job_by_itself("p", Kind.PARTIAL, language="pt", beam_size=1)
    # the shortest looks at 0.8 s, the longest at 3.1 s; the VAD's windows make their last sample up to a frame older
    took = echo.batch_ms(CARD, [(partial, 2.0)])
    assert 0.85 * took <= outcome.partial["p50"] <= 1.15 * took + 20
    assert (outcome.final["p50"], outcome.final["max"]) == (0.0, 0.0)
    # one with the frame 300 ms after the last was asked for, or the next, since the card is faster than that; and the
    # final that was decoded ahead, which is shown as a partial
    assert outcome.partials_per_speech_s == pytest.approx(((4.15 - 1.5) / 0.31 + 1) / 3.5, rel=0.1)


def test_a_final_decoded_ahead_is_shown_as_a_partial() -> None:
    """Of all there was in the pause; with partials out of the way it is the only one."""
    outcome = simulated(1, config=dataclasses.replace(CONFIG, partial_interval_ms=60_000))
    took = CARD.decode_ms(1, 10, 3.15, 5, final=True, words=True)

    assert took <= outcome.partial["p50"] <= took + 32
    assert outcome.partial["n"] == outcome.final["n"]


@pytest.mark.parametrize("slow", [0.1, 100.0], ids=["answered in the pause", "answered after it"])
def test_a_final_of_a_long_utterance_costs_what_was_said_last(slow: float) -> None:
    """A decode in a pause is kept as a piece; the card's time is proportional to audio here."""
    card = dataclasses.replace(
        CARD, encode_ms=0.0, encode_audio_ms=slow, step_ms=0.0, step_row_ms=0.0, align_ms=0.0, align_each_ms=0.0
    )
    speech = Speech(30.0, (Utterance(1.0, 1.5, ((13.0, 13.3), (18.0, 18.2)), 20.5, 19.5),))
    quiet = dataclasses.replace(CONFIG, partial_results=False)
    waits = []
    for piece_ms in (0, 8_000):
        config = dataclasses.replace(quiet, vad=dataclasses.replace(quiet.vad, piece_ms=piece_ms))
        found = run(1, 1, Plan(limits=UNLIMITED), card, NOTHING, [speech], config, seconds=30.0)
        waits.append(found.final["max"])

    assert waits[1] < 0.75 * waits[0]


def test_a_partial_that_waits_to_be_fetched_hears_what_is_stored_meanwhile() -> None:
    """Whole pieces of four windows, 128 ms: what is asked of Redis is not what has been said."""
    clock = Clock()
    cell = Cell(clock, Plan(limits=UNLIMITED), CARD, NOTHING)
    talker = Talker(clock, Balancer([cell], "least", 0), ONE, CONFIG, Tally(), "one", once=True)
    saying = Saying(talker, ONE.utterances[0], 0.0, 0, "one:0")
    clock.run(2.0)
    asked = saying._so_far
    clock.run(2.3)

    assert asked == pytest.approx(62 * 0.032 - 1.0)
    assert saying._stored(asked) == pytest.approx(asked + 2 * 0.128)


def test_the_host_takes_its_time_for_features_however_slow_the_card_is() -> None:
    """Of the whole window; the worker that keeps a card's pace waits for it as the simulated one does."""
    card = dataclasses.replace(CARD, features_ms=5.0).slower(10)
    job = job_by_itself("f", Kind.FINAL, language="pt", beam_size=5)
    began = time.perf_counter()
    request = echo.PacedEngine(card).prepare(job, np.zeros(4 * 16_000, np.float32))

    assert card.preparing_ms(10) == 50.0
    assert time.perf_counter() - began >= 0.05
    assert request.key == echo.batch_key(job, 4.0)


def test_longer_windows_of_finals_make_them_late_by_what_they_cost() -> None:
    """Twenty seconds more are encoded, 20 ms each on this card, give or take a frame; partials are what they were."""
    slow = CARD.slower(20)
    short, long = (simulated(1, card=slow, least_final_window_s=least_s) for least_s in (10, 30))

    assert long.final["p50"] - short.final["p50"] == pytest.approx(20 * 20, abs=20)
    assert long.batch == short.batch


def test_a_card_ten_times_slower_makes_finals_late_by_what_the_pause_does_not_cover() -> None:
    """With somebody alone: the decode less the 350 ms."""
    slow = CARD.slower(10)
    outcome = simulated(1, card=slow)
    took = slow.decode_ms(1, 10, 3.15, 5, final=True, words=True)

    # a partial that is being decoded when the pause is found comes before
    assert took - 350 <= outcome.final["p50"] <= took - 350 + slow.decode_ms(1, 5, 3.2, 1, final=False, words=False)


def test_more_talkers_wait_longer_and_two_cards_less() -> None:
    outcomes = [simulated(n, card=CARD.slower(4)) for n in (1, 8, 16)]
    two = simulated(16, card=CARD.slower(4), cards=2)

    assert [o.partials_per_speech_s for o in outcomes] == sorted(
        (o.partials_per_speech_s for o in outcomes), reverse=True
    )
    assert outcomes[0].final["p95"] < outcomes[1].final["p95"] < outcomes[2].final["p95"]
    assert two.final["p95"] < outcomes[2].final["p95"]
    assert outcomes[2].batch > outcomes[0].batch == 1.0
    assert outcomes[2].tightest == "card"


def test_admission_and_shedding_are_the_services_own() -> None:
    """With the limits of a real service some are refused, and those inside are served; without, all wait."""
    slow = CARD.slower(6)
    limits = Limits(max_queue_depth=20, max_estimated_server_total_ms=1500)
    inside = simulated(60, card=slow, limits=limits)
    everybody = simulated(60, card=slow)

    assert inside.refused > 0
    assert inside.inside < 60 == everybody.inside
    assert max(inside.steps) > 0
    assert inside.final["p95"] < everybody.final["p95"] / 3


def test_calls_of_a_lost_cell_are_in_others_within_what_clients_wait() -> None:
    """Each knows within a second; nobody is refused where the others have room."""
    outcome = simulated(30, 3, lose_at=20.0)

    assert outcome.moved["n"] == 10
    assert outcome.moved["max"] < 1000
    assert outcome.inside == 30
    assert outcome.refused == 0


def test_calls_of_a_lost_cell_that_others_have_no_room_for_ask_again() -> None:
    outcome = simulated(30, 3, lose_at=20.0, limits=dataclasses.replace(UNLIMITED, max_sessions=12))

    assert outcome.inside == 24
    assert outcome.refused >= 6
    assert outcome.moved["n"] == 4


def test_calls_are_spread_evenly_or_by_chance() -> None:
    """By chance some cells get more."""
    clock = Clock()
    cells = [Cell(clock, Plan(limits=UNLIMITED), CARD, NOTHING) for _ in range(4)]
    for spread in ("least", "random"):
        for number in range(40):
            Balancer(cells, spread, number).choose().admit((spread, number))
        counts = [cell.sessions for cell in cells]
        if spread == "least":
            assert counts == [10] * 4
    assert sum(counts) == 80
    assert len(set(counts)) > 1


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (dataclasses.asdict(simulated(9, 2, spread="random", seed=4)) for _ in range(2))

    assert {**one, "took_s": 0} == {**other, "took_s": 0}


def test_utterances_are_those_that_the_service_finds_in_the_same_speech() -> None:
    """One a clip or more, each closed half a second after it was last voiced, and never two at once."""
    pool = cli.pool(Options())
    script = conversation(pool, 20.0, 0, 0)

    found = heard(script, CONFIG).utterances

    assert len(found) >= len(script.placed)
    for before, after in itertools.pairwise(found):
        assert before.opened < before.closed <= after.opened
    for utterance in found:
        assert utterance.pauses[-1][1] is None
        assert utterance.closed - utterance.pauses[-1][0] == pytest.approx(0.35, abs=0.04)


def test_a_command_leaves_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what is assumed it says so."""
    out = ["--out", str(tmp_path), "--seconds", "5"]
    assert cli.main(["--talkers", "1,4", "--cells", "2", *out]) == 0
    assert "not measured" in (tmp_path / "simulate.md").read_text()
    assert cli.main(["--ramp", "300", "--slower", "40", "--no-limits", *out]) == 0

    shown = capsys.readouterr().out
    assert "talkers** in one cell" in shown
    assert (tmp_path / "simulate-ramp.json").exists()


@pytest.mark.parametrize("option", ["--pace", "--service"])
def test_a_file_that_says_nothing_is_named(tmp_path: Path, option: str) -> None:
    (tmp_path / "x.json").write_text('{"speed": 1}')

    with pytest.raises(SystemExit, match=r"x\.json .*expected"):
        cli.main([option, str(tmp_path / "x.json"), "--talkers", "1"])


def test_service_times_are_read_as_they_were_written(tmp_path: Path) -> None:
    service.write(NOTHING, tmp_path / "service.json")

    assert service.read(tmp_path / "service.json") == NOTHING


@pytest.mark.parametrize(
    ("figure", "real", "simulated", "agrees"),
    [
        ("partial p50, ms", 50.0, 59.0, True),
        ("partial p50, ms", 50.0, 61.0, False),
        ("partial p50, ms", 1000.0, 1149.0, True),
        ("partial p50, ms", 1000.0, 1151.0, False),
        ("finals", 10, 12, False),
        ("final after the endpoint p50, ms", 0.0, 3.0, True),
    ],
)
def test_what_agrees_is_within_a_seventh_or_ten_milliseconds(
    figure: str, real: float, simulated: float, *, agrees: bool
) -> None:
    """Whatever single runs do by chance."""
    assert Row(4, figure, real, simulated, (0.0, 2000.0)).agrees is agrees


def test_talkers_say_what_they_say_in_a_real_run() -> None:
    """So the two can be compared."""
    pool = [clips.recording(r.clip, r.pcm) for r in cli.pool(Options())]

    assert spoken(pool, 1, 10.0, 3, CONFIG) == [heard(conversation(pool, 10.0, 3, 0), CONFIG)]


def test_the_shipped_pace_says_that_it_is_not_measured() -> None:
    assert not pace.read(cli.PACE).measured


def test_a_full_queue_refuses_as_the_services_does() -> None:
    """With its code, and the time to wait."""
    cell = Cell(Clock(), Plan(limits=dataclasses.replace(UNLIMITED, max_queue_depth=1)), CARD, NOTHING)
    assert cell.admit("one") is None
    for worker in cell.workers:
        worker.running[Kind.FINAL] = 1

    refusal = cell.admit("another")

    assert refusal.code == ErrorCode.QUEUE_FULL
    assert refusal.retry_after_ms > 0
    assert (cell.sessions, cell.refused) == (1, 1)
