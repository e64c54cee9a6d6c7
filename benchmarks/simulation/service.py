"""What the service's parts take for what they do, each as it was measured."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Processor time. The defaults are of docs/scaling.md and docs/tuning.md: two shared x86-64 cores."""

    web_session: float = 0.02
    """Share of a core that a session takes while audio comes: frames and VAD."""
    web_job_ms: float = 1.0
    """Sending a job and taking its answer."""
    redis_session: float = 0.0005
    """Share of a core that a session's audio takes."""
    redis_job_ms: float = 0.4
    """All commands of a job."""
    worker_job_ms: float = 3.0
    """What a job takes of the worker's one interpreter, besides the model: Celery, audio, answer."""
    ways_ms: float = 4.0
    """What no processor is busy with: sockets, polling, the way to the client; of a job and its answer together."""


def read(path: Path) -> Service:
    """From a file. Raises `ValueError` that names it."""
    try:
        return Service(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        names = ", ".join(field.name for field in fields(Service))
        raise ValueError(
            f"{path} has no service times ({error}): expected a JSON object with some of {names}."
        ) from None


def write(service: Service, path: Path) -> None:
    """For `read`."""
    path.write_text(json.dumps(asdict(service), indent=1) + "\n", encoding="utf-8")
