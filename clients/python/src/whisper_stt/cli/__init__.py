"""The `whisper-stt` command."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

from whisper_stt.cli import language, streams
from whisper_stt.cli.advice import advised
from whisper_stt.cli.targets import FORMATS
from whisper_stt.errors import OptionError, WhisperSttError
from whisper_stt.media import MediaError
from whisper_stt.session.address import hide
from whisper_stt.session.words import _, noop

REDACTED = ("cpf", "card", "phone", "email")
"""What `--redact` takes."""


class Exit(IntEnum):
    """Exit codes. Not among them is 1, by which Python says that a program has crashed."""

    OK = 0
    USAGE = 2
    """An option, a variable or a name of a file is not what it has to be; nothing was done."""
    SERVICE = 3
    """The service cannot be reached, refuses, or was lost."""
    INPUT = 4
    """A file cannot be read, or holds no audio; or there is no microphone."""
    INCOMPLETE = 5
    """Something has no transcript or could not be read, or the service does not accept sessions (`status`)."""
    OUTPUT = 6
    """The transcript cannot be written."""
    INTERRUPTED = 130
    """By Ctrl-C; other signals are 128 and their number, too."""
    BROKEN_PIPE = 141
    """Whoever read the output has gone."""


EPILOG = noop("""\
environment:
  STT_URL        the service's WebSocket, unless --url says otherwise
  STT_API_KEY    sent as a bearer token
  NO_COLOR       no colours, whatever the terminal can do
  LANG           the language of messages, as LC_ALL and LANGUAGE: English or Portuguese

exit codes:
  0 done   2 wrong usage   3 the service cannot be reached, refuses, or was lost   4 the input cannot be read
  5 incomplete (a segment without transcript, a damaged file; status: not accepting)   6 the output cannot be written
  130 Ctrl-C (143 SIGTERM, 129 SIGHUP)   141 broken pipe
Whatever the code, what was transcribed is written. 1 is a crash.
""")
EXAMPLES = {
    "transcribe": noop("""\
examples:
  whisper-stt transcribe call.mp3
  whisper-stt transcribe --format srt --output film.srt film.mkv
  whisper-stt transcribe --format json --output transcripts/ calls/*.wav
  whisper-stt transcribe --local call.mp3
  whisper-stt transcribe --channels 2 --channel-names agent,caller --format srt call.wav
  ffmpeg -v error -i rtsp://camera/audio -f wav - | whisper-stt transcribe --realtime -
"""),
    "mic": noop("""\
examples:
  whisper-stt mic
  whisper-stt mic --device "USB Audio" --format json > notes.json
Ctrl-C ends the recording; what was said is still transcribed.
"""),
    "status": noop("""\
examples:
  whisper-stt status
  whisper-stt status --json | jq .queue.depth
"""),
    "load": noop("""\
examples:
  whisper-stt load --talkers 20 --ramp 10 --duration 60 speech.wav
  whisper-stt load --talkers 5 --json clips/*.flac > figures.json
Each talker speaks one of the files in real time, pauses, and speaks the next.
"""),
}


class Parser(argparse.ArgumentParser):
    """Its complaints quote what was typed, but no secret in it; its help is output like any other."""

    def print_help(self, file: Any = None) -> None:
        """Say it; argparse would not say that it could not."""
        streams.say(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Complain, and exit with 2."""
        super().error(hide(message))


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    common = Parser(add_help=False)
    common.add_argument("--url", help=_("the service's WebSocket (default: $STT_URL or ws://localhost:8000/ws/stt)"))
    session = Parser(add_help=False)
    session.add_argument("--language", help=_("such as pt (default: the service's)"))
    told = _("a name that may be said; give it again for more")
    session.add_argument("--keyterm", action="append", default=[], metavar="TERM", help=told)
    session.add_argument("--vad-threshold", type=_share, metavar="P", help=_("0 to 1; lower hears quieter speech"))
    found = Parser(add_help=False)
    found.add_argument("--external-id", metavar="ID", help=_("what the call is named elsewhere, kept in its record"))
    found.add_argument("--tag", action="append", default=[], dest="tags", help=_("to find it by; may be given again"))
    reading = Parser(add_help=False)
    reading.add_argument(
        "--channel", type=_natural, metavar="N", help=_("hear this one: 1 is left (default: all, mixed)")
    )
    output = Parser(add_help=False)
    output.add_argument("--format", choices=FORMATS, help=_("(default: that of --output, or txt)"))
    output.add_argument("--formatted", action="store_true", help=_("numbers, dates, CPFs as Brazilians write them"))
    output.add_argument("--redact", type=_kinds, default=(), metavar="KINDS", help=_("keep out: cpf,card,phone,email"))
    output.add_argument("--no-times", action="store_true", help=_("txt without the times of its lines"))
    output.add_argument("--quiet", "-q", action="store_true", help=_("no progress bar, no partials"))
    root = Parser(prog="whisper-stt", description=_("Speech to text by a Whisper STT service."))
    _shape(root, _(EPILOG))
    told = _("show the version and exit")
    root.add_argument("--version", action="version", version=f"%(prog)s {_version()}", help=told)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, title: str, *parents: Parser) -> Parser:
        added = commands.add_parser(name, help=title, description=title, parents=[common, *parents])
        _shape(added, f"{_(EXAMPLES[name])}\n{_(EPILOG)}")
        return added

    transcribe = command("transcribe", _("Transcribe recordings or a pipe."), session, found, reading, output)
    transcribe.add_argument("files", nargs="+", metavar="FILE", help=_("any format FFmpeg reads; - is standard input"))
    transcribe.add_argument(
        "--output", "-o", help=_("a file, or a directory for a file each (default: standard output)")
    )
    transcribe.add_argument("--languages", type=_names, default=(), metavar="CODES", help=_("find out which: pt,es,en"))
    transcribe.add_argument("--channels", type=int, choices=(1, 2), default=1, help=_("2: hear two talkers apart (1)"))
    transcribe.add_argument("--channel-names", type=_names, default=(), metavar="NAMES", help=_("such as agent,caller"))
    transcribe.add_argument("--realtime", action="store_true", help=_("as it was spoken, with live partials"))
    transcribe.add_argument(
        "--local", action="store_true", help=_("without a service, by its engine (after `make run`)")
    )
    transcribe.add_argument("--model", metavar="NAME", help=_("with --local (default: $STT_WHISPER_MODEL)"))
    mic = command("mic", _("Transcribe what the microphone hears."), session, found, output)
    mic.add_argument("--device", help=_("a name or number of sounddevice's (default: the system's)"))
    status = command("status", _("Say how the service is."))
    status.add_argument("--json", action="store_true", help=_("as the service said it"))
    load = command("load", _("Put load on the service and measure it."), session, reading)
    load.add_argument("files", nargs="+", metavar="FILE", help=_("speech to talk with"))
    load.add_argument("--talkers", type=_natural, default=1, help=_("how many at once (1)"))
    load.add_argument("--ramp", type=_seconds, default=0.0, metavar="S", help=_("seconds over which they start (0)"))
    load.add_argument(
        "--duration", type=_seconds, default=30.0, metavar="S", help=_("seconds that each talks for (30)")
    )
    load.add_argument(
        "--pause", type=_seconds, default=1.5, metavar="S", help=_("seconds of silence between files (1.5)")
    )
    load.add_argument("--json", action="store_true", help=_("figures as JSON instead of a table"))
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    language.prepare()
    streams.prepare()
    try:
        code = _run(argv)
        streams.settle()
    except BrokenPipeError:
        return Exit.BROKEN_PIPE
    except streams.OutputError as error:
        streams.complain(error)
        return Exit.OUTPUT
    return code


def run() -> None:
    """The entry point."""
    sys.exit(main())


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = parser().parse_args(argv)
        _check_way(arguments.url)
        return _command(arguments.command)(arguments)
    except SystemExit as end:  # argparse's, after help or a wrong option
        return int(end.code or 0)
    except KeyboardInterrupt:
        return _fail(_("Interrupted"), Exit.INTERRUPTED)
    except OptionError as error:
        return _fail(error, Exit.USAGE)
    except MediaError as error:
        return _fail(error, Exit.INPUT)
    except WhisperSttError as error:
        return _fail(advised(error), Exit.SERVICE)


def _check_way(url: str | None) -> None:
    """What is wrong with the URL, the key or a proxy is told first."""
    from whisper_stt.options import connect

    connect(url)


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    match name:
        case "transcribe":
            from whisper_stt.cli.transcribe import transcribe

            return transcribe
        case "mic":
            from whisper_stt.cli.mic import mic

            return mic
        case "status":
            from whisper_stt.cli.status import status

            return status
        case _:
            from whisper_stt.cli.load import load

            return load


def _fail(error: object, code: Exit) -> int:
    streams.complain(error)
    return code


def _shape(command: argparse.ArgumentParser, epilog: str) -> None:
    command.epilog, command.formatter_class = epilog, argparse.RawDescriptionHelpFormatter


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(filter(None, text.split(",")))
    if unknown := next((kind for kind in kinds if kind not in REDACTED), None):
        told = _("expected some of {kinds}, got {given}")
        raise argparse.ArgumentTypeError(told.format(kinds=", ".join(REDACTED), given=unknown))
    return kinds


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _version() -> str:
    """That of the installed package."""
    try:
        return version("whisper-stt-client")
    except PackageNotFoundError:  # its folder is merely on the path
        return _("(not installed)")


def _share(text: str) -> float:
    if not 0 <= (value := _number(text)) <= 1:
        raise argparse.ArgumentTypeError(_("expected a number from 0 to 1, got {given}").format(given=text))
    return value


def _seconds(text: str) -> float:
    if not 0 <= (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(_("expected seconds, 0 or more, got {given}").format(given=text))
    return value


def _natural(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(_("expected a whole number, 1 or more, got {given}").format(given=text))
    return int(text)


def _number(text: str) -> float:
    """What is none is no part of any range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
