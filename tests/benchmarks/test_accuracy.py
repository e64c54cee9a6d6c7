"""Finals against offline: groups, differences and how far they may be chance."""

import pytest

from benchmarks.accuracy import accuracy_markdown, compared, group
from tests.benchmarks.material import clip, spoken

SAID = "um dois três quatro"


def test_errors_are_counted_by_group_against_the_first_way() -> None:
    """One clip better, one worse, two alike; the last group is all."""
    pool = [
        *(spoken(0.1, name="real/a.flac", text=SAID) for _ in range(2)),
        spoken(0.1, name="real/b.flac", text=SAID, ref="derived"),
        spoken(0.1, name="long/c.flac", text=SAID),
    ]
    found = compared(
        pool,
        {
            "offline": [[SAID], ["um dois"], [SAID], [SAID]],
            "service": [["um dois três"], [SAID], [SAID], ["um dois três quatro cinco"]],
        },
        "phone",
    )

    rows = {(one.group, one.way): one for one in found}
    assert list(dict.fromkeys(one.group for one in found)) == [
        "real, exact references", "real, other references", "long", "all",
    ]  # fmt: skip
    exact = rows["real, exact references", "service"]
    assert (exact.clips, exact.score.words, exact.score.deletions) == (2, 8, 1)
    assert (exact.points, exact.better, exact.worse) == (-12.5, 1, 1)
    everything = rows["all", "service"]
    assert (everything.points, everything.better, everything.worse) == (0.0, 1, 2)
    assert rows["all", "offline"].interval == (0.0, 0.0)
    assert rows["long", "service"].interval is None
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in accuracy_markdown(found).splitlines()]
    row = ["real, exact references: 2 clips, 8 words", "service", "12.5%", "-12.5 (-50.0 to +25.0)", "1 / 1"]
    assert ["phone", *row] in told


@pytest.mark.parametrize(("worse", "chance"), [(1, True), (40, False)])
def test_one_clip_in_forty_may_be_chance_and_all_of_them_are_not(worse: int, chance: bool) -> None:
    """The interval has nought in it, or has not."""
    pool = [spoken(0.1, text=SAID) for _ in range(40)]
    texts = [["um dois três"]] * worse + [[SAID]] * (40 - worse)
    (_, service) = compared(pool, {"offline": [[SAID]] * 40, "service": texts})

    assert service.interval
    assert (service.interval[0] <= 0 <= service.interval[1]) is chance


def test_clips_without_a_folder_are_a_group_of_their_own() -> None:
    """The repository's own."""
    assert group(clip(name="s01.wav")) == group(clip(name="s02.wav")) == "clips"


def test_a_clip_heard_several_times_is_one_clip() -> None:
    """Its errors are those of all times, and so are its words."""
    pool = [spoken(0.1, text=SAID), spoken(0.1, text=SAID)]
    heard = {"offline": [[SAID] * 2, ["um"] * 2], "service": [[SAID, "um"], [SAID, "um"]]}
    (_, service) = compared(pool, heard)

    assert (service.clips, service.score.words, service.score.deletions) == (2, 16, 6)
    assert (service.better, service.worse, service.points) == (1, 1, 0.0)
