"""Ctrl-C, and the signals by which systems end a program."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Windows has no SIGHUP, other systems have no SIGBREAK.
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Interruption:
    """Whether the program was told to end, and by what."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The last signal."""

    @contextmanager
    def handled(self, *steps: Callable[[], object]) -> Iterator[None]:
        """While inside, the first signal calls the first step in the event loop, the next the next.

        After the last, they raise `KeyboardInterrupt`. Those that the program was started to ignore stay ignored. Not
        by `loop.add_signal_handler`, which Windows has not.
        """
        loop = asyncio.get_running_loop()
        left = list(steps)

        def handle(number: int, frame: FrameType | None) -> None:
            self.signal = number
            if not left:
                raise KeyboardInterrupt
            loop.call_soon_threadsafe(left.pop(0))

        heard = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
