"""How long a card takes: few coefficients, fitted by `python -m benchmarks gpu`, that stand in for a card.

The echo engine sleeps by them (`STT_ECHO_PACE`), and so does the simulation. A decode is an encode and a generate; a
final's has its words aligned and is held against silence, text by text, as `whisper.py` does it. Tokens come one after
the other, so the longest text of a batch decides.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

TOKENS_PER_SECOND = 5
"""Of speech: a fast speaker of Portuguese (`windows.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in milliseconds, of one model on one device in one compute type."""

    name: str
    """The card's, and the model's shape."""
    device: str
    compute_type: str
    measured: bool
    """Whether a device was measured; else the coefficients are assumed."""
    encode_ms: float
    """What an encode costs whatever is in it."""
    encode_audio_ms: float
    """What each second of window adds, of all requests together."""
    encode_square_ms: float
    """What attention adds: each second of a window, times all seconds of it."""
    generate_ms: float
    """What a generate costs besides its tokens."""
    step_ms: float
    """What a token costs, whatever the batch."""
    step_row_ms: float
    """What each row adds to it: requests times beam."""
    align_ms: float
    align_each_ms: float
    """What aligning words costs, and what each text adds."""
    slowdown: tuple[float, ...] = (1.0,)
    """How much longer a batch takes with one lane at work, with two, …; the last holds for more."""
    features_ms: float = 0.0
    """What a second of window costs the host's processor before that."""

    def decode_ms(
        self, requests: int, window_s: float, audio_s: float, beam: int, *, final: bool, words: bool
    ) -> float:
        """One batch alone on the device; `audio_s` is that of the request with most."""
        encode = self.encoding_ms(requests, window_s)
        tokens = max(round(audio_s * TOKENS_PER_SECOND), 1)
        generate = self.generating_ms(requests, tokens, beam)
        align = self.aligning_ms(requests) if words else 0.0
        evidence = requests * self.aligning_ms(1) if final else 0.0
        return encode + generate + align + evidence

    def preparing_ms(self, window_s: float) -> float:
        """The host's part before it, of one request."""
        return self.features_ms * window_s

    def encoding_ms(self, requests: int, window_s: float) -> float:
        """An encode of so many windows."""
        return self.encode_ms + requests * window_s * (self.encode_audio_ms + self.encode_square_ms * window_s)

    def generating_ms(self, requests: int, tokens: int, beam: int) -> float:
        """A generate of so many tokens each."""
        return self.generate_ms + tokens * (self.step_ms + self.step_row_ms * requests * beam)

    def aligning_ms(self, requests: int) -> float:
        """The words' times of so many texts."""
        return self.align_ms + self.align_each_ms * requests

    def slower(self, times: float) -> "Pace":
        """That of a card so many times slower, in the same host."""
        names = [field.name for field in fields(self) if field.name.endswith("_ms") and field.name != "features_ms"]
        return replace(self, **{name: getattr(self, name) * times for name in names})

    def slowed(self, busy: int) -> float:
        """How many times longer a batch takes with so many lanes at work, itself among them."""
        return self.slowdown[min(max(busy, 1), len(self.slowdown)) - 1]


def read(path: Path) -> Pace:
    """A pace from its file. Raises `ValueError` that names the file."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Pace(**said | {"slowdown": tuple(map(float, said.get("slowdown", (1.0,))))})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        names = ", ".join(field.name for field in fields(Pace))
        raise ValueError(f"{path} is no pace of a card ({error}): expected a JSON object with {names}.") from None


def write(pace: Pace, path: Path) -> None:
    """For `read`."""
    path.write_text(json.dumps(asdict(pace), indent=1) + "\n", encoding="utf-8")
