"""A launcher that is waited for, with programs in the place of `manage.py`."""

from pathlib import Path

import psutil
import pytest

from harness import launched
from harness.launched import Launched


def checkout(directory: Path, program: str) -> Path:
    """A directory with such a `manage.py`."""
    (directory / "manage.py").write_text(program)
    return directory


def test_one_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    """The reason is what it has printed."""
    code = checkout(tmp_path, "import sys; sys.exit('no model')")
    with Launched(tmp_path, {}, checkout=code) as service, pytest.raises(AssertionError, match="no model"):
        service.until(lambda: False)

    assert service.ended() == 1


def test_settings_go_over_its_own_and_these_over_the_environment(tmp_path: Path) -> None:
    """A database and a port of its own, whatever this machine has, unless they are what is tested."""
    code = checkout(tmp_path, "import os; print(os.environ['DATABASE_URL'], os.environ['STT_PORT'])")
    environment = {"DATABASE_URL": "postgres://precious", "STT_PORT": "8000"}
    with Launched(tmp_path, environment, checkout=code, STT_PORT="1") as service:
        service.ended()

    assert service.output() == f"sqlite:///{tmp_path}/db.sqlite3 1\n"


def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had its time."""
    monkeypatch.setattr(launched, "STOPS_WITHIN_S", 0.1)
    program = "import signal, subprocess; signal.signal(2, signal.SIG_IGN); p = subprocess.Popen(['sleep', '60'])\n"
    code = checkout(tmp_path, program + "print('up', flush=True); p.wait()")
    with Launched(tmp_path, {"PATH": "/usr/bin:/bin"}, checkout=code) as service:
        service.until(lambda: "up" in service.output(), 10)
        (child,) = service.children()

    assert service.process.returncode == -9
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
