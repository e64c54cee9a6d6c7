"""Exit 0 if this container does its work, 1 if it does not.

`healthcheck.py` asks the web process whether it is alive, `healthcheck.py /health/ready` whether the service is ready;
it asks by address, which these pages answer whatever `ALLOWED_HOSTS` is. `healthcheck.py worker` looks for the
heartbeat of a worker of this host: its model is loaded and Redis hears of it.
"""

import os
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path


def web(path: str) -> bool:
    """Whether the web process answers 200."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("STT_PORT", "8000")), timeout=4)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def worker() -> bool:
    """Whether a worker of this host has been heard of in the last seconds."""
    import redis  # the web image's check does without

    sys.path.append(str(Path(__file__).resolve().parents[1]))  # a program run as a file finds only its own folder
    from sttproject import redis_server
    from transcription.core.contract.keyspace import WORKERS_KEY, worker_key

    url = os.environ.get("STT_REDIS_URL", "redis://127.0.0.1:6379/0")
    try:
        with redis_server.at(url).client(socket_timeout=2, socket_connect_timeout=2, decode_responses=True) as client:
            ids = [member for member in client.smembers(WORKERS_KEY) if member.startswith(f"{socket.gethostname()}-")]
            return any(client.exists(worker_key(worker_id)) for worker_id in ids)
    except redis.RedisError:
        return False


def main(what: str = "/health/live") -> int:
    healthy = worker() if what == "worker" else web(what)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
