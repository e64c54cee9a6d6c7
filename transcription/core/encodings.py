"""How a client's samples are written."""

from enum import StrEnum


class Encoding(StrEnum):
    """What `start_session.config` may ask for."""

    PCM_S16LE = "pcm_s16le"
    MULAW = "mulaw"
    ALAW = "alaw"

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self is Encoding.PCM_S16LE else 1

    @property
    def described(self) -> str:
        """What is expected of a client's bytes, for people."""
        return _DESCRIBED[self]


_DESCRIBED = {
    Encoding.PCM_S16LE: "16-bit little-endian mono PCM",
    Encoding.MULAW: "mono mu-law (G.711)",
    Encoding.ALAW: "mono A-law (G.711)",
}
