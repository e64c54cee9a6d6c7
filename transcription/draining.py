"""Whether this process is being stopped: the server says so; admission and the readiness probe ask."""

from threading import Event

began = Event()
"""From now on no session starts."""

STOP = "server.stop"
"""The type of the message that ends a connection's session because the server stops."""
