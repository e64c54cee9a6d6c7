"""Commands over records, before anything has made the tables."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.processes import ROOT, bare_environment


@pytest.mark.parametrize("command", ["createapikey ana", "revokeapikey 0123", "erase call-1", "purge --days 1"])
def test_a_database_without_tables_is_told_in_a_sentence(command: str, tmp_path: Path) -> None:
    """With the way out, and without a traceback."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=ROOT,
        env=bare_environment() | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "CommandError: The database of DATABASE_URL cannot be used: no such table" in done.stderr
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
