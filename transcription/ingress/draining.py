"""Stopping this process: the server says so and waits for its sessions; admission and the readiness probe ask."""

from threading import Event

began = Event()
"""From now on no session starts."""

sessions: set[str] = set()
"""The `uid`s of this process's sessions that are not over."""

STOP = "server.stop"
"""The type of the message that ends a connection's session because the server stops."""
