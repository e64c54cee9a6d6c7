"""Child processes of one command: started apart from the terminal, watched, stopped in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

LAST_LINES = 20


class Child:
    """A process with its last lines of output, which are passed on to stderr as they come, if `aloud`."""

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], stdin: str = "", *, aloud: bool = True
    ) -> None:
        self.name = name
        self.aloud = aloud
        """Whether its output is passed on."""
        self.started_at = time.monotonic()
        self._argv, self._env, self._stdin = argv, env, stdin
        self._tail: deque[str] = deque(maxlen=LAST_LINES)
        # its own session: Ctrl-C in the terminal reaches the command alone, which stops its children in order
        self._process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(stdin.encode())
        self._process.stdin.close()
        self._reader = threading.Thread(target=self._pass_on, name=f"{name}-output", daemon=True)
        self._reader.start()

    def again(self) -> "Child":
        """Start the same once more, with the same arguments, environment and input."""
        return Child(self.name, self._argv, self._env, self._stdin, aloud=self.aloud)

    @property
    def pid(self) -> int:
        """The process's id, which is also its process group's."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; `None` while it runs."""
        return self._process.poll()

    def last_lines(self) -> str:
        """What it said last, once it has ended."""
        self._reader.join(1.0)
        return "\n".join(self._tail)

    def told(self) -> str:
        """Where its last words are: above, or, of one that was not passed on, here."""
        lines = self.last_lines()
        if not lines:
            return "It said nothing."
        return "What it said last is above." if self.aloud else f"Its last lines:\n{lines}"

    def signal(self, number: signal.Signals) -> None:
        """Signal the process and whatever it has started; nothing happens when they are gone."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within the time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _pass_on(self) -> None:
        """Pass its output on as it comes, so that progress bars move, and keep the last lines."""
        assert self._process.stdout
        line = b""
        with self._process.stdout as output:
            while chunk := os.read(output.fileno(), 4096):
                if self.aloud:
                    with suppress(OSError):  # a terminal that is gone, a full disk: unread, the child would stop
                        sys.stderr.buffer.write(chunk)
                        sys.stderr.flush()
                *whole, line = (line + chunk).replace(b"\r", b"\n").split(b"\n")
                self._tail.extend(text for part in whole if (text := part.decode(errors="replace").strip()))


def stop(children: Iterable[Child], within_s: float) -> None:
    """Ask all to end, wait, then kill what is left."""
    running = [child for child in children if child.returncode is None]
    for child in running:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + within_s
    for child in running:
        if not child.wait(max(deadline - time.monotonic(), 0.0)):
            child.signal(signal.SIGKILL)
            child.wait(1.0)
