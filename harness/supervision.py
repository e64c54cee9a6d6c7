"""What a supervisor does: processes that end are started again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.processes import Processes

LOOK_S = 0.1
KEPT = ("worker", "web")


@contextmanager
def kept(processes: Processes) -> Iterator[list[str]]:
    """Start workers and web processes again when they end, whatever the reason.

    Yields those that ended by themselves so far: name, exit code, last output.
    """
    fallen: list[str] = []
    over = threading.Event()

    def keep() -> None:
        while not over.wait(LOOK_S):
            for child in [c for c in processes.children if c.name in KEPT and c.returncode is not None]:
                if child not in processes.killed:
                    fallen.append(f"{child.name} ({child.returncode}): {child.last_lines()[-300:]}")
                processes.again(child)

    keeper = threading.Thread(target=keep, name="keeper", daemon=True)
    keeper.start()
    try:
        yield fallen
    finally:
        over.set()
        keeper.join()
