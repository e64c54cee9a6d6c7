"""Heartbeats between versions."""

import msgspec

from transcription.core.contract.heartbeat import Cost, Heartbeat, Tally, heartbeat_decoder

BEAT = Heartbeat(
    worker_id="box-1", model="base", device="cpu", compute_type="int8", threads=4, lanes=2, max_batch=8,
    avg_partial_ms=12.34, avg_final_ms=56.78, partial_cost=Cost(), final_cost=Cost(), handling_ms=1.0,
    final_rate=0.5, tally=Tally(done=3), metrics="",
)  # fmt: skip


def test_a_worker_of_another_version_is_understood() -> None:
    """One that says no tally has done nothing; one that says more is heard without it."""
    fields = msgspec.to_builtins(BEAT)
    older = {name: value for name, value in fields.items() if name != "tally"}

    assert heartbeat_decoder.decode(msgspec.json.encode(older)).tally == Tally()
    assert heartbeat_decoder.decode(msgspec.json.encode(fields | {"mood": "good"})) == BEAT
