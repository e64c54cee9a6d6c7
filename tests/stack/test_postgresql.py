"""The audit on PostgreSQL: what its tests say of SQLite holds there too, the search above all."""

import os
import subprocess
import sys

import pytest

from harness.processes import ROOT
from tests.stack.conftest import Deployment

pytestmark = pytest.mark.stack
AUDIT = [f"tests/audit/test_{name}.py" for name in ("finding", "usage", "bulk", "pages")]


def test_the_audit_s_tests_pass_there(deployment: Deployment) -> None:
    """In a database of their own."""
    deployment.postgres.psql("ALTER ROLE stt CREATEDB", "postgres")
    environment = os.environ | {"DATABASE_URL": deployment.postgres.url}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *AUDIT]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3_000:]
