"""Processes that are broken and started again."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.processes import Processes
from harness.stack import Stack
from harness.supervision import kept
from harness.waiting import until
from launcher.supervisor import Child

SLEEP = ["sleep", "60"]


def status(child: Child) -> str:
    """As `ps` shows it."""
    return psutil.Process(child.pid).status()


def test_all_end_with_the_block() -> None:
    """Those started elsewhere too."""
    with Processes() as processes:
        one = processes.run("one", SLEEP, {})
        two = processes.keep(Child("two", SLEEP, {}))

    assert one.returncode is not None
    assert two.returncode is not None


def test_a_process_is_started_again_as_it_was_and_in_its_place(tmp_path: Path) -> None:
    """Program, environment and input."""
    script = "import os, sys; open(os.environ['OUT'], 'a').write(sys.stdin.read())"
    with Processes() as processes:
        first = processes.run("writer", [sys.executable, "-c", script], {"OUT": str(tmp_path / "out")}, "said ")
        other = processes.run("other", SLEEP, {})
        assert first.wait(10)
        second = processes.again(first)
        assert second.wait(10)

        assert processes.children == [second, other]
        assert processes.running("writer") == []
        assert processes.running("other") == [other]
    assert (tmp_path / "out").read_text() == "said said "


def test_a_process_is_frozen_for_a_while() -> None:
    """And goes on."""
    with Processes() as processes:
        child = processes.run("sleeper", SLEEP, {})
        with processes.frozen(child):
            until(lambda: status(child) == psutil.STATUS_STOPPED, "the process to stop", 5)
        until(lambda: status(child) != psutil.STATUS_STOPPED, "the process to go on", 5)

        assert processes.killed == set()


def test_a_supervisor_tells_what_fell_from_what_was_felled() -> None:
    """Both are started again; other processes are not."""
    with Processes() as processes, kept(processes) as fallen:
        worker, web = processes.run("worker", SLEEP, {}), processes.run("web", SLEEP, {})
        once = processes.run("migrate", ["true"], {})
        processes.kill(worker)
        web.signal(9)
        until(lambda: len(processes.running("worker")) == len(processes.running("web")) == 1, "both again", 10)

        assert processes.children[2] is once
        assert {worker, web}.isdisjoint(processes.children)
    assert fallen == ["web (-9): "]


def test_a_stack_that_cannot_start_leaves_nothing_running(tmp_path: Path) -> None:
    """The reason is told."""
    stack = Stack(tmp_path, {})
    stack.database = tmp_path / "nowhere" / "db.sqlite3"
    with pytest.raises(FileNotFoundError, match="nowhere"), stack:
        pass

    assert [child.returncode is None for child in stack.children] == [False]


def test_why_a_command_fails_is_told(tmp_path: Path) -> None:
    """And what runs beside it ends."""
    stack = Stack(tmp_path, {"STT_PORT": "eighty"})
    with pytest.raises(subprocess.CalledProcessError) as failed, stack:
        stack.manage("check")

    assert "STT_PORT='eighty'" in failed.value.__notes__[0]
    assert [child.returncode is None for child in stack.children] == [False]
