"""What clients may send: nonsense, near misses, and the protocol itself."""

import json
import os

from hypothesis import strategies as st

SHORT = 3_000
INPUTS = int(os.environ.get("FUZZ_INPUTS", SHORT))
"""At least so many messages, frames or events a test; `make fuzz` asks for 100,000."""

_KEYS = st.sampled_from(
    ["type", "session_id", "config", "lang_code", "sample_rate", "vad_enabled", "vad_threshold", "partial_results",
     "word_timestamps", "resume", "segment_id", ""]
)  # fmt: skip
_TYPES = st.sampled_from(
    ["start_session", "configure", "flush", "end_session", "cancel", "final_transcript", "Flush", ""]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, 8_000, 16_000, 44_100, 48_000, 0.5, -0.0, 1e308])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["pt", "pt-BR", "xx", "a b", "s" * 128, "s" * 129, "\ud800", "\x00", "%s{0}", "../../etc"])
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=8
)
_MESSAGES = st.fixed_dictionaries({"type": _TYPES}, optional={"session_id": _SCALARS, "config": _VALUES}).map(
    json.dumps
)
_TURNS = {
    "turn_mode": st.sampled_from(["auto", "dictation", "short", "fixed"]),
    "min_silence_ms": st.integers(32, 1_000),
    "max_hold_ms": st.integers(0, 3_000),
}
_CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "lang_code": st.sampled_from(["pt", "en", "pt_BR"]),
        "sample_rate": st.sampled_from([8_000, 16_000, 24_000, 44_100, 48_000]),
        "encoding": st.sampled_from(["pcm_s16le", "mulaw", "alaw"]),
        "vad_enabled": st.booleans(),
        "vad_threshold": st.floats(0, 1),
        "partial_results": st.booleans(),
        "word_timestamps": st.booleans(),
        **_TURNS,
    },
)
_STARTS = _CONFIGS.map(lambda config: json.dumps({"type": "start_session", "config": config}))
_PLAIN = st.sampled_from(["flush", "flush", "flush", "end_session", "cancel"]).map(lambda t: json.dumps({"type": t}))
_COMMANDS = _PLAIN | st.fixed_dictionaries({"type": st.just("configure")}, optional=_TURNS).map(json.dumps)


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """A message with a piece cut out, doubled or replaced."""
    text = draw(_MESSAGES | _STARTS)
    at, upto = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    return text[:at] + draw(st.text(max_size=3)) * draw(st.integers(0, 3)) + text[upto:]


texts = st.one_of(
    st.text(max_size=60),
    _VALUES.map(json.dumps),
    _MESSAGES,
    _damaged(),
    _STARTS,
    _COMMANDS,
    st.integers(1, 3_000).map(lambda depth: "[" * depth),
    st.integers(1, 300).map(lambda count: '{"type": ' + '{"type": ' * count),
    st.sampled_from(["9" * 5_000, '"' + "a" * 200_000 + '"', '{"type": "flush", "type": "cancel"}', "\ufeff{}", " "]),
)
"""Text frames."""

audio = st.one_of(
    st.binary(max_size=200),
    st.integers(0, 5_000).map(lambda samples: bytes(2 * samples)),
    st.builds(lambda sample, count: sample * count, st.binary(min_size=2, max_size=2), st.integers(0, 5_000)),
    st.sampled_from([b"", b"\x00", bytes(131_072), bytes(131_074), bytes(131_073)]),
)
"""Binary frames; odd lengths and too long ones among them."""
