"""CPU and memory of processes."""

import time

import pytest

from benchmarks.processes import HARNESS, Usage, Watch, group_of


@pytest.mark.parametrize(
    ("command_line", "group"),
    [
        ("python -m daphne -p 8000 sttproject.asgi:application", "web"),
        ("python -m celery -A sttproject worker -P threads", "worker"),
        ("/usr/bin/redis-server *:6379", "store"),
        ("vim notes.txt", None),
    ],
)
def test_processes_are_told_apart_by_their_command_line(command_line: str, group: str | None) -> None:
    """As `ps` shows it."""
    assert group_of(command_line) == group


def test_the_harness_itself_is_watched() -> None:
    """It costs CPU too, and in `naive` it holds the model."""
    with Watch(launcher=None) as watch:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass

    usage = watch.usage()[HARNESS]
    assert usage.processes == 1
    assert usage.cpu_s > 0.01  # the kernel counts in steps of that
    assert usage.peak_rss_mib[0] > 10


def test_cpu_by_second_of_audio() -> None:
    """Zero where no audio was sent."""
    assert Usage(cpu_s=3.0).cpu_per_audio_s(60.0) == pytest.approx(0.05)
    assert Usage(cpu_s=3.0).cpu_per_audio_s(0.0) == 0.0
