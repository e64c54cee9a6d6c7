"""What the server says of itself over HTTP: its state, and how far its counters moved during a run."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """The server's pair of histograms: what finals were predicted to take, and took, since it started or `since`."""

    predicted_s: float
    actual_s: float
    finals: float

    def since(self, before: "Prediction") -> "Prediction":
        """What has been added since an earlier look."""
        return Prediction(
            self.predicted_s - before.predicted_s, self.actual_s - before.actual_s, self.finals - before.finals
        )

    @property
    def predicted_ms(self) -> float | None:
        """What finals were predicted to take, on average; `None` without finals."""
        return round(self.predicted_s / self.finals * 1000, 1) if self.finals else None

    @property
    def actual_ms(self) -> float | None:
        """What they took, on average; `None` without finals."""
        return round(self.actual_s / self.finals * 1000, 1) if self.finals else None


def status(url: str) -> dict[str, Any] | None:
    """`/health/status` of the server behind a WebSocket URL; `None` where there is none."""
    text = _get(url, "/health/status")
    return json.loads(text) if text else None


def counters(url: str) -> dict[str, float]:
    """The server's own Prometheus counters by `name{label=value}`; empty where it has none.

    Several web processes behind one address answer in turn: then only the workers' counters are to be trusted.
    """
    return parse_counters(_get(url, "/metrics") or "")


def parse_counters(exposition: str) -> dict[str, float]:
    """Counters named `stt_...` in a Prometheus exposition, summed over workers."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        if family.type != "counter" or not family.name.startswith("stt_"):
            continue
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "worker")
                name = f"{sample.name}{{{labels}}}" if labels else sample.name
                found[name] = found.get(name, 0.0) + sample.value
    return found


def prediction(url: str) -> Prediction | None:
    """The pair now; `None` where there is none."""
    exposition = _get(url, "/metrics") or ""
    samples = {s.name: s.value for family in text_string_to_metric_families(exposition) for s in family.samples}
    names = ("predicted_seconds_sum", "actual_seconds_sum", "actual_seconds_count")
    values = [samples.get(f"stt_final_{name}") for name in names]
    return None if None in values else Prediction(*values)  # type: ignore[arg-type]


def increments(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """How far each counter moved, where it moved."""
    moved = {name: round(value - before.get(name, 0.0), 3) for name, value in sorted(after.items())}
    return {name: by for name, by in moved.items() if by}


def http_url(url: str, path: str) -> str:
    """The HTTP address of `path` on the server of a WebSocket URL."""
    parts = urlsplit(url)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, path, "", ""))


def _get(url: str, path: str) -> str | None:
    """A page, asked for with `STT_STATUS_TOKEN` where the environment has it; `None` where there is none."""
    request = urllib.request.Request(http_url(url, path))  # noqa: S310 - http(s) by construction
    if token := os.environ.get("STT_STATUS_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - http(s) by construction
            return str(response.read(), "utf-8")
    except (urllib.error.URLError, TimeoutError):
        return None
