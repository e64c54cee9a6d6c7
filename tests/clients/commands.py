"""The `whisper-stt` command as a process of its own."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SPEECH = ROOT / "tests/audio/s13_pm_alex.wav"
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("STT_", "NO_COLOR")) and not name.lower().endswith("_proxy")
}
ENVIRONMENT |= {
    "PYTHONPATH": str(ROOT / "clients/python/src"),
    "PYTHONWARNINGS": "error",
    "COLUMNS": "100",
    "LANGUAGE": "en",
}
COMMAND = [sys.executable, "-m", "whisper_stt.cli"]


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    extra = options.pop("env", {})
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=ENVIRONMENT | extra,
        text=True,
        check=False,
        timeout=120,
        **streams | options,
    )


async def started(*arguments: object, **options: Any) -> tuple[int, str, str]:
    """Run it while this process is its service."""
    done = await asyncio.to_thread(command, *arguments, **options)
    return done.returncode, done.stdout, done.stderr


async def in_shell(line: str, **env: str) -> tuple[int, str, str]:
    """Run a line of bash in which `$W` is the command."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", line],
        env=ENVIRONMENT | {"W": " ".join(COMMAND)} | env,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")
