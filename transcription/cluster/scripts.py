"""The scripts of `lua/`, for what must be seen and done at once: inside Redis. Their heads name KEYS and ARGV."""

from importlib import resources

_FOLDER = resources.files("transcription.cluster") / "lua"


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


ACQUIRE = _text("acquire")
APPEND = _text("append")
RENEW = _text("renew")
RELEASE = _text("release")
LOAD = _text("load")
MOVE = _text("move")
REMEMBER = _text("remember")
JOB_STATES = _text("job_states")
