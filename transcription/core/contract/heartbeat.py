"""What a worker says of itself, in its heartbeat and when it gives up; how often each side writes and reads in Redis.

From heartbeats alone web processes know who works, what decodes cost and what was done (`core/capacity/load.py`).
"""

import msgspec

HEARTBEAT_S = 0.5
"""How often: three may be missed before a worker is taken for gone (`keyspace.HEARTBEAT_TTL_S`)."""
LEASE_RENEW_S = 3.0
"""How often a web process renews the leases of its sessions: three times within `keyspace.LEASE_TTL_S`."""

STARTING_S = 2.0
"""How long a session counts as one that has just started."""
SETTLED_S = 10.0
"""After how long a session shows in what the workers do."""

READ_S = 0.1
"""How old a web process lets its picture of the cluster become."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What decodes of one kind cost the model, learnt from real ones: linear in the requests and in their audio."""

    base_ms: float = 0.0
    """What a batch costs whatever is in it."""
    request_ms: float = 0.0
    """What each request adds."""
    audio_ms: float = 0.0
    """What each second of audio adds, of all requests together."""
    audio_s: float = 0.0
    """How long the audio of a request usually is."""

    @property
    def each_ms(self) -> float:
        """What each request of the usual length adds to a batch."""
        return self.request_ms + self.audio_ms * self.audio_s

    def batch_ms(self, requests: float = 1.0) -> float:
        """What a batch of so many requests of the usual length costs."""
        return self.base_ms + requests * self.each_ms


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has done since it started; two of them give what it did between."""

    running: int = 0
    """Jobs in hand."""
    done: int = 0
    failed: int = 0
    decoded: int = 0
    """Requests decoded."""
    shared: int = 0
    """Over those, the sizes of the batches they were in."""
    decode_s: float = 0.0
    """Over those, how long the batches they were in took."""

    @property
    def batch_size(self) -> float:
        """The batch a request was in, on average."""
        return round(self.shared / self.decoded, 2) if self.decoded else 0.0


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
    """What a decode usually costs the model, batches as they come, lately."""
    partial_cost: Cost
    final_cost: Cost
    handling_ms: float
    """What a final usually takes besides waiting and the model: fetching, preparing, answering."""
    final_rate: float
    """Finals decoded a second, over about `SETTLED_S`."""
    tally: Tally = Tally()
    """Nothing, of a worker of a version that did not say."""
    metrics: str
    """The worker's Prometheus exposition."""


heartbeat_decoder: msgspec.json.Decoder[Heartbeat] = msgspec.json.Decoder(Heartbeat)


MAX_GAVE_UP = 20
"""How many of the workers that gave up are told of, the latest."""


class GaveUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker leaves that ends because its model cannot decode, or never could."""

    worker_id: str
    reason: str
    at: float
    """Seconds since the epoch, by the worker's clock."""


gave_up_decoder: msgspec.json.Decoder[GaveUp] = msgspec.json.Decoder(GaveUp)
