"""What the cluster shares in Redis besides audio and jobs: who is live, who works, what has been counted."""

import msgspec

HEARTBEAT_S = 0.5
HEARTBEAT_TTL_S = 1.8
"""A worker not heard of for so long is gone; with the readers' cache that is within two seconds."""

LEASE_TTL_S = 10
LEASE_RENEW_S = 3.0
"""How often a web process renews the places of its sessions."""

STARTING_S = 2.0
"""How long a session counts as one that has just started."""
SETTLED_S = 10.0
"""After how long a session shows in what the workers do."""

READ_S = 0.1
"""How old a web process lets its picture of the cluster become."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What decodes of one kind cost the model, learnt from real ones: linear in the requests and in their audio."""

    base_ms: float = 0.0
    """A batch, whatever is in it."""
    request_ms: float = 0.0
    """Each request."""
    audio_ms: float = 0.0
    """Each second of audio, over the batch."""
    audio_s: float = 0.0
    """How long the audio of a request usually is."""

    @property
    def each_ms(self) -> float:
        """Each request of the usual length."""
        return self.request_ms + self.audio_ms * self.audio_s

    def batch_ms(self, requests: float = 1.0) -> float:
        """A batch of so many requests of the usual length."""
        return self.base_ms + requests * self.each_ms


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker with a loaded model says of itself, every `HEARTBEAT_S`."""

    worker_id: str
    model: str
    device: str
    compute_type: str
    threads: int
    """Jobs it takes in hand at a time."""
    lanes: int
    """Batches it decodes at a time."""
    max_batch: int
    avg_partial_ms: float
    avg_final_ms: float
    """Moving averages of what a decode costs the model."""
    partial_cost: Cost
    final_cost: Cost
    handling_ms: float
    """Moving average of what a final takes besides waiting and the model: fetching, preparing, answering."""
    final_rate: float
    """Finals decoded a second, over about `SETTLED_S`."""
    metrics: str
    """The worker's Prometheus exposition."""


heartbeat_decoder: msgspec.json.Decoder[Heartbeat] = msgspec.json.Decoder(Heartbeat)


def worker_key(worker_id: str) -> str:
    """Where a worker's heartbeat lies in Redis."""
    return f"stt:worker:{worker_id}"


WORKERS_KEY = "stt:workers"
"""Set of the ids of workers that may be live."""
