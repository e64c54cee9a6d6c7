"""What a person sees meanwhile, on standard error: a progress bar, or the partial as it grows. Nothing on a pipe."""

import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

try:
    from rich.console import Console
    from rich.live import Live
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text
except ImportError:
    Console = None  # type: ignore[assignment,misc]

from whisper_stt.cli.streams import complain
from whisper_stt.session.messages import Event, PartialTranscript
from whisper_stt.session.words import _


class Screen:
    """Shows how one transcription goes, as far as there is a terminal."""

    def __init__(self, name: str, seconds: float | None, *, live: bool, quiet: bool) -> None:
        self._progress: Progress | None = None
        self._live: Live | None = None
        if quiet or not sys.stderr.isatty():
            return
        if Console is None:
            lacking = (
                _("no partials without rich: pip install rich"),
                _("no progress bar without rich: pip install rich"),
            )
            complain(lacking[0] if live else lacking[1])
            return
        console = Console(stderr=True, highlight=False)
        # Lines for the terminal go above what is shown; lines for a pipe go there.
        redirect = sys.stdout.isatty()
        if live:
            self._live = Live(Text(_("listening …"), "dim"), console=console, transient=True, redirect_stdout=redirect)
        else:
            columns = [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()]
            columns += [TimeElapsedColumn(), TimeRemainingColumn()]
            self._progress = Progress(*columns, console=console, transient=True, redirect_stdout=redirect)
            self._task = self._progress.add_task(name, total=seconds)

    def __enter__(self) -> Self:
        for shown in (self._progress, self._live):
            if shown:
                shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the terminal is gone
            for shown in (self._progress, self._live):
                if shown:
                    shown.stop()

    def hear(self, event: Event) -> None:
        """A partial grows, and its final clears it."""
        if self._live:
            text = event.text if isinstance(event, PartialTranscript) else "…"
            with suppress(OSError):
                self._live.update(Text(text[-self._live.console.width :], "dim"))

    def done(self, seconds: float) -> None:
        """So much audio is transcribed."""
        if self._progress:
            self._progress.update(self._task, completed=seconds)
