"""What becomes of one input: lines are told as they come, a document is written at the end, whatever the end is."""

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from typing import Any

from whisper_stt.cli import Exit, output
from whisper_stt.cli.advice import advised
from whisper_stt.cli.interruption import Interruption
from whisper_stt.cli.streams import OutputError, complain, say
from whisper_stt.cli.targets import Target
from whisper_stt.cli.written import as_written
from whisper_stt.errors import WhisperSttError
from whisper_stt.media import MediaError
from whisper_stt.session.messages import Event, FinalTranscript, ServerError
from whisper_stt.session.words import _


class Account:
    """The transcript of one input as it grows."""

    def __init__(
        self,
        name: str,
        kind: str,
        target: Target | None,
        *,
        times: bool,
        formatted: bool = False,
        speakers: Sequence[str] = (),
    ) -> None:
        """Begin; `kind` is one of `targets.FORMATS`, no `target` is standard output, `times` are those of lines.

        `formatted`: whether the text is that which Brazilians write; JSON has both. `speakers`: names of the channels.
        """
        self.interruption = Interruption()
        self.damage: str | None = None
        """What of the input could not be read, in words."""
        self.name = name
        self._kind = kind
        self._target = target
        self._times = times
        self._formatted = formatted
        self._speakers = speakers
        # Subtitles and JSON are whole documents.
        self._telling = kind == "txt" and target is None
        self._segments: list[FinalTranscript] = []
        self._failed: list[ServerError] = []

    def hear(self, event: Event) -> None:
        """Take what the service says; raises what `say` does."""
        match event:
            case FinalTranscript() if event.text:
                if self._formatted and self._kind != "json":
                    event = as_written(event)
                self._segments.append(event)
                if self._telling:
                    say(output.line(event, times=self._times, speakers=self._speakers))
            case ServerError():
                self._failed.append(event)

    def see_through(self, work: Coroutine[Any, Any, None], *, endless: bool = False) -> int:
        """Do the work, which hears and handles the interruption; returns the exit code.

        Args:
            work: ends when all is heard, is cancelled, or raises.
            endless: Ctrl-C is how it ends.
        """
        code, why = int(Exit.OK), None
        try:
            asyncio.run(work)
        except (KeyboardInterrupt, asyncio.CancelledError):
            code, why = self._interrupted()
        except MediaError as error:
            code, why = Exit.INCOMPLETE if self._segments else Exit.INPUT, str(error)
        except WhisperSttError as error:
            code, why = Exit.SERVICE, advised(error)
        except Exception:
            if not self._telling:
                self._close(Exit.OK, _("Internal error"))
            raise
        else:
            if self.interruption.signal and not (endless and self.interruption.signal == signal.SIGINT):
                code, why = self._interrupted()
            elif self.damage:
                code, why = Exit.INCOMPLETE, f"{self.name}: {self.damage}"
        return self._close(code, why)

    def _interrupted(self) -> tuple[int, str]:
        return 128 + (self.interruption.signal or signal.SIGINT), _("Interrupted")

    def _close(self, code: int, why: str | None) -> int:
        unwritten: int = Exit.OK
        if not self._telling and (self._segments or why is None):
            unwritten = self._write(why)
        if why is not None:
            kept = self._target.path if self._target and self._segments and not unwritten else None
            complain(_("{why}; {file} has what was transcribed").format(why=why, file=kept) if kept else why)
        elif not self._segments and not self._failed:
            complain(_("{name}: nothing was heard").format(name=self.name))
        for failure in self._failed:
            told = _("{name}: {segment} has no transcript: {reason}")
            complain(told.format(name=self.name, segment=failure.segment_id, reason=failure.message))
        return unwritten or code or (Exit.INCOMPLETE if self._failed else Exit.OK)

    def _write(self, why: str | None) -> int:
        segments = sorted(self._segments, key=lambda segment: segment.start)
        text = output.render(
            self._kind,
            self.name,
            segments,
            self._failed,
            times=self._times,
            incomplete=why,
            speakers=self._speakers,
        )
        if self._target is None:
            say(text)
            return Exit.OK
        try:
            self._target.write(text)
        except OutputError as error:
            complain(_("{error}; the transcript goes to standard output").format(error=error))
            say(text)
            return Exit.OUTPUT
        return Exit.OK
