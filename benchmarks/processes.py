"""CPU time and memory of the service's processes while a run goes on."""

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

import psutil

GROUPS = {"web": ("daphne",), "worker": ("celery",), "store": ("valkey-server", "redis-server")}
"""A group's processes are those with one of its words in their command line."""
HARNESS = "harness"
"""The group of this very process: the load generator, and the model when it runs here."""
INTERVAL_S = 0.25
MIB = 2**20


@dataclass(slots=True)
class Usage:
    """What a group of processes used during a run."""

    processes: int = 0
    cpu_s: float = 0.0
    peak_rss_mib: list[float] = field(default_factory=list)
    """The peak of each process, largest first."""

    def cpu_per_audio_s(self, audio_s: float) -> float:
        """CPU seconds a second of audio sent cost."""
        return self.cpu_s / audio_s if audio_s else 0.0


def group_of(command_line: str, groups: Mapping[str, Iterable[str]] = GROUPS) -> str | None:
    """The group a command line belongs to, the first that fits."""
    return next((name for name, words in groups.items() if any(word in command_line for word in words)), None)


class Watch:
    """Watches processes from `__enter__` to `__exit__`; those that start in between are not seen.

    With a launcher's pid only its descendants count, else every process of the machine that fits a group.
    """

    def __init__(self, launcher: int | None = None) -> None:
        self._found = dict(_find(launcher))
        self._peak = dict.fromkeys(self._found, 0)
        self._began: dict[psutil.Process, float] = {}
        self._cpu_s = dict.fromkeys(self._found, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        """Begin to watch."""
        for process in self._found:
            with contextlib.suppress(psutil.Error):
                self._began[process] = _cpu_s(process)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the last figures."""
        self._over.set()
        self._thread.join()
        self._look()

    def usage(self) -> dict[str, Usage]:
        """By group, what was used; call it after the watch."""
        groups: dict[str, Usage] = {}
        for process in sorted(self._found, key=lambda process: -self._peak[process]):
            usage = groups.setdefault(self._found[process], Usage())
            usage.processes += 1
            usage.cpu_s += self._cpu_s[process]
            usage.peak_rss_mib.append(round(self._peak[process] / MIB, 1))
        return groups

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self._look()

    def _look(self) -> None:
        for process, began in self._began.items():
            # a process that is gone keeps the figures of its last look
            with contextlib.suppress(psutil.Error), process.oneshot():
                self._cpu_s[process] = _cpu_s(process) - began
                self._peak[process] = max(self._peak[process], process.memory_info().rss)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _find(launcher: int | None) -> Iterable[tuple[psutil.Process, str]]:
    yield psutil.Process(), HARNESS
    family = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    among = psutil.Process(launcher).children(recursive=True) if launcher else psutil.process_iter()
    for process in among:
        with contextlib.suppress(psutil.Error):
            group = group_of(" ".join(process.cmdline()))
            if group and process.pid not in family:
                yield process, group
