"""Exit 0 if the web process of this container is alive. `healthcheck.py /health/ready` asks for readiness."""

import os
import sys
from http.client import HTTPConnection


def allowed_host(allowed_hosts: str) -> str:
    """A Host header that Django lets in: the first of `ALLOWED_HOSTS`, which may be a pattern."""
    return allowed_hosts.split(",")[0].strip().lstrip(".*") or "localhost"


def main(path: str = "/health/live") -> int:
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("STT_PORT", "8000")), timeout=4)
    try:
        connection.request("GET", path, headers={"Host": allowed_host(os.environ.get("ALLOWED_HOSTS", ""))})
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
