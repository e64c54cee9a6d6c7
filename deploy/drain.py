"""Wait until this host's web process on `STT_PORT` has no sessions, at most so many seconds: `drain.py 600`.

Run it once new sessions are kept away (Kubernetes: preStop; nginx: the server marked `down`), before SIGTERM. It exits
with 0 when there are none, or the process has ended meanwhile, else with 1.
"""

import os
import re
import sys
import time
from http.client import HTTPConnection, HTTPException

POLL_S = 1.0
PORT = int(os.environ.get("STT_PORT", "8000"))


class Unknown(Exception):
    """Why nobody can say how many sessions there are."""


def sessions() -> int | None:
    """How many the web process has; `None` when it does not answer in time. Raises `Unknown`."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=4)
    token = os.environ.get("STT_STATUS_TOKEN", "").strip()
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        body = answer.read().decode()
    except ConnectionRefusedError:
        raise Unknown(f"nothing listens on 127.0.0.1:{PORT}: set STT_PORT to the port of the web process") from None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == 401:
        raise Unknown("/metrics wants a token: set STT_STATUS_TOKEN")
    if not (found := re.search(r"^stt_sessions_active (\S+)$", body, re.MULTILINE)):
        raise Unknown(f"127.0.0.1:{PORT}/metrics is none of a web process's (HTTP {answer.status})")
    return int(float(found[1]))


def main(at_most: str = "600") -> int:
    deadline = time.monotonic() + float(at_most)
    has_answered = False
    try:
        while (left := sessions()) != 0:
            has_answered = has_answered or left is not None
            if time.monotonic() >= deadline:
                told = "It does not answer" if left is None else f"{left} sessions are still under way"
                sys.stderr.write(f"{told}\n")
                return 1
            time.sleep(POLL_S)
    except Unknown as error:
        if has_answered:  # it has ended meanwhile
            return 0
        sys.stderr.write(f"Not known to be drained: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
