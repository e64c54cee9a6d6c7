"""Exit 0 if this container does its work.

`healthcheck.py` asks the web process whether it is alive, `healthcheck.py /health/ready` whether the service is ready.
`healthcheck.py worker` looks for the heartbeat of a worker of this host: its model is loaded and Redis hears of it.
"""

import os
import socket
import sys
from http.client import HTTPConnection


def allowed_host(allowed_hosts: str) -> str:
    """A Host header that Django lets in: the first of `ALLOWED_HOSTS`, which may be a pattern."""
    return allowed_hosts.split(",")[0].strip().lstrip(".*") or "localhost"


def web(path: str) -> bool:
    """Whether the web process answers 200."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("STT_PORT", "8000")), timeout=4)
    try:
        connection.request("GET", path, headers={"Host": allowed_host(os.environ.get("ALLOWED_HOSTS", ""))})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def worker() -> bool:
    """Whether a worker of this host has been heard of in the last seconds (transcription/core/cluster.py)."""
    import redis  # the web image's check does without

    url = os.environ.get("STT_REDIS_URL", "redis://127.0.0.1:6379/0")
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            ours = f"{socket.gethostname()}-".encode()
            ids = [member for member in client.smembers("stt:workers") if member.startswith(ours)]
            return any(client.exists(b"stt:worker:" + worker_id) for worker_id in ids)
    except redis.RedisError:
        return False


def main(what: str = "/health/live") -> int:
    healthy = worker() if what == "worker" else web(what)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
