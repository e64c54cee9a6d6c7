"""What one run against a server, or a simulated one, came to."""

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.figures import Figures
from benchmarks.processes import Usage


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of a run and what it cost."""

    figures: Figures
    usage: dict[str, Usage]
    counters: dict[str, float] = field(default_factory=dict)
    """How far the server's own counters moved."""
    failures: list[str] = field(default_factory=list)
    """Why connections broke."""

    def as_json(self) -> dict[str, Any]:
        """All of it, CPU also by second of audio."""
        usage = {
            group: asdict(used) | {"cpu_per_audio_s": round(used.cpu_per_audio_s(self.figures.audio_s), 4)}
            for group, used in self.usage.items()
        }
        return asdict(self.figures) | {"usage": usage, "counters": self.counters, "failures": self.failures}
