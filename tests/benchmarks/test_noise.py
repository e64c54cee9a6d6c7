"""Text that nobody said."""

from benchmarks.clips import made
from benchmarks.noise import count
from benchmarks.record import Record
from benchmarks.reporting import noise_markdown
from benchmarks.schedule import alone
from tests.benchmarks.material import final, partial, record_of, silence


def heard(name: str, *messages: dict, completed: bool = True) -> Record:
    """A session of a second of silence."""
    script = alone(made(name, silence(1.0)))
    return record_of(script, [(1.0 + i, message) for i, message in enumerate(messages)], completed=completed)


RECORDS = [
    heard("hum", partial("s1", 500.0, "E aí"), final("s1", 0.0, 500.0, ""), final("s2", 500.0, 500.0, "Obrigado.")),
    heard("fan", final("s1", 0.0, 500.0, " ")),
    heard("dial"),
    heard("cut", completed=False),
]


def test_only_text_counts() -> None:
    """An empty final is right, a partial with text is not."""
    way = count("service", RECORDS, cpu_s=3.0)

    assert (way.finals, way.finals_with_text, way.partials_with_text) == (3, 1, 1)
    assert way.texts == {"hum": "Obrigado."}
    assert way.troubles == {"cut": ["did not complete"]}


def test_the_report_names_each_text() -> None:
    """With what the worker spent a minute: 4 sessions of 2.1 s."""
    text = noise_markdown([count("service", RECORDS, cpu_s=3.0), count("offline", RECORDS[:1], cpu_s=None)])

    assert "1 of 4" in text
    assert "Obrigado." in text
    assert "| 21.4" in text
    assert "cut: did not complete" in text
