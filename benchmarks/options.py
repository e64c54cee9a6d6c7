"""What a run is asked for; `cli.py` fills it from the command line."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.dictation import Half
from benchmarks.paired import Variant


@dataclass(slots=True)
class Options:
    """Every option with its default."""

    command: str = ""
    url: str = "ws://127.0.0.1:8000/ws/stt"
    manifest: Path = Path(__file__).parent.parent / "tests" / "audio" / "manifest.jsonl"
    model: Path | None = None
    """A CTranslate2 model directory; `None` is the embedded one, where the service has joined it."""
    launch: bool = False
    """Whether to start the service, and stop it after."""
    checkout: Path = Path(__file__).parent.parent
    """Whose service is launched: another commit's, for before and after."""
    out: Path = Path(__file__).parent / "out"
    seed: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Sent with the handshake: an API key, say."""
    pid: int | None = None
    """The service's launcher."""

    folder: str | None = None
    refs: frozenset[str] = frozenset({"published", "book", "prompt"})
    limit: int | None = None
    least_s: float = 0.0
    """How long a clip is at least."""
    pieces_ms: tuple[int, ...] = (8_000,)
    """Lengths of pieces that `replay` compares."""

    recordings: Path | None = None
    """Of `languages`: a folder a language."""
    noise: Path | None = None
    """Manifest of clips in which nobody speaks, beside those that are made."""
    conditions: tuple[str, ...] = ()
    """Of `wer` and `short`; none given: the command's own."""
    voices: tuple[str, ...] = ("pt-br", "pt-br+f2", "pt-br+m3")
    """Of espeak-ng, for `short` and `turns`."""
    offline: bool = True
    """Whether `noise` and `short` decode the same audio offline, too: most of their time."""

    turn_model: str = ""
    """What `turns` hears by, besides what is said."""
    half: Half = "judging"
    """Of what `turns` has dictated: what rules are made with, or what they are judged by."""
    decode_ms: float = 150.0
    """How long after it was asked for a text is there, in `turns`."""

    talkers: tuple[int, ...] = (1,)
    seconds: float = 60.0
    """Least length of a talker's session."""
    partial_interval_ms: float = 300.0
    variants: list[Variant] = field(default_factory=list)
    """What `paired` and `uploads` compare."""
    rounds: int = 3
    uploads: int = 10
    """Recordings that are transcribed at a time beside talkers, in `uploads`."""
    drain_s: float = 60.0
    """How long to wait for what is outstanding when all has been said."""
    max_talkers: int = 64
    naive: bool = False
    """Whether `capacity` ramps the naive server instead of the service."""
    endpoint_ms: float = 500.0
    """Silence after which the naive server takes an utterance for over."""

    device: str = "auto"
    compute_type: str | None = None
    threads: int = 0

    def as_json(self) -> dict[str, Any]:
        """For the report; without headers, which may hold a key, and without the machine's paths."""
        kept = {
            name: value
            for name, value in asdict(self).items()
            if name not in ("headers", "out", "checkout", "variants")
        }
        return kept | {
            "manifest": self.manifest.name,
            "noise": self.noise.name if self.noise else None,
            "recordings": self.recordings.name if self.recordings else None,
            "model": self.model.name if self.model else None,
            "refs": sorted(self.refs),
        }
