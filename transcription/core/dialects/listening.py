"""What one who listens to a call passes on to its client, and when there is nothing more to come."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Hearing:
    """Of one listener."""

    _numbers: dict[str, int] = field(default_factory=dict)
    """By session: the last notice passed on."""
    _ended: set[str] = field(default_factory=set)
    _admitted: set[str] = field(default_factory=set)

    def is_new(self, session_id: str, number: int, text: str) -> bool:
        """Whether a notice is to be passed on: not where it was written twice."""
        if number <= self._numbers.get(session_id, 0):
            return False
        self._numbers[session_id] = number
        match _decode(text)["type"]:
            case "session_started":
                self._admitted.add(session_id)
            case "stream_ended":
                self._ended.add(session_id)
        return True

    @property
    def begun(self) -> bool:
        """Whether there has been anything to hear."""
        return bool(self._numbers)

    @property
    def over(self) -> bool:
        """Whether every stream that was heard of has ended."""
        return self.begun and not self._numbers.keys() - self._ended

    @property
    def admitted(self) -> set[str]:
        """Sessions that have a place, unless their web process has died."""
        return self._admitted - self._ended
