"""Wait until this container's web process has no sessions, at most so many seconds: `drain.py 600`.

Run it once new sessions are kept away (Kubernetes: preStop; nginx: the server marked `down`), before SIGTERM.
"""

import os
import re
import sys
import time
from http.client import HTTPConnection

POLL_S = 1.0


def sessions() -> int:
    """How many this container's web process has; 0 when it is gone."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("STT_PORT", "8000")), timeout=4)
    try:
        token = os.environ.get("STT_STATUS_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", "/metrics", headers=headers)
        found = re.search(r"^stt_sessions_active (\S+)$", connection.getresponse().read().decode(), re.MULTILINE)
    except OSError:
        return 0
    finally:
        connection.close()
    return int(float(found[1])) if found else 0


def main(at_most: str = "600") -> int:
    deadline = time.monotonic() + float(at_most)
    while left := sessions():
        if time.monotonic() >= deadline:
            sys.stderr.write(f"{left} sessions are still under way\n")
            return 1
        time.sleep(POLL_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
