"""The table of what talkers cost the web process."""

from benchmarks.web import Cost, table


def test_a_row_has_the_median_of_its_rounds_and_the_worst_of_the_rest() -> None:
    found = {"before": [Cost(20.0, 100.0, 3.0), Cost(22.0, 102.0, 5.0), Cost(30.0, 101.0, 4.0)]}
    header, _, row = table(8, found).splitlines()

    assert [cell.strip() for cell in header.split("|")][1] == "8 talkers"
    assert [cell.strip() for cell in row.split("|")][1:-1] == ["before", "22.0 (20.0–30.0)", "102", "5"]
