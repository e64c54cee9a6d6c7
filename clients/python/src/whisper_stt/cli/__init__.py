"""The `whisper-stt` command."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum

from whisper_stt.errors import WhisperSttError
from whisper_stt.media import MediaError


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    INCOMPLETE = 1
    """Something has no transcript, or the service does not accept sessions (`status`)."""
    USAGE = 2
    SERVICE = 3
    """The service cannot be reached, refuses, or was lost."""
    INPUT = 4
    """A file cannot be read, or holds no audio; or there is no microphone."""
    INTERRUPTED = 130
    """By Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read the output has gone."""


EPILOG = """\
environment:
  STT_URL        the service's WebSocket, unless --url says otherwise
  STT_API_KEY    sent as a bearer token
  NO_COLOR       no colours, whatever the terminal can do

exit codes:
  0 done   1 incomplete (a segment without transcript; status: not accepting)   2 wrong usage
  3 the service cannot be reached or refuses   4 the input cannot be read   130 Ctrl-C   141 broken pipe
"""
EXAMPLES = {
    "transcribe": """\
examples:
  whisper-stt transcribe call.mp3
  whisper-stt transcribe --format srt --output film.srt film.mkv
  whisper-stt transcribe --format json --output transcripts/ calls/*.wav
  ffmpeg -v error -i rtsp://camera/audio -f wav - | whisper-stt transcribe --realtime -
""",
    "mic": """\
examples:
  whisper-stt mic
  whisper-stt mic --device "USB Audio" --format json > notes.json
Ctrl-C ends the recording; what was said is still transcribed.
""",
    "status": """\
examples:
  whisper-stt status
  whisper-stt status --json | jq .queue.depth
""",
    "load": """\
examples:
  whisper-stt load --talkers 20 --ramp 10 --duration 60 speech.wav
  whisper-stt load --talkers 5 --json clips/*.flac > figures.json
Each talker speaks one of the files in real time, pauses, and speaks the next.
""",
}


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help="the service's WebSocket (default: $STT_URL or ws://localhost:8000/ws/stt)")
    session = argparse.ArgumentParser(add_help=False)
    session.add_argument("--language", help="such as pt (default: the service's)")
    session.add_argument("--vad-threshold", type=_share, metavar="P", help="0 to 1; lower hears quieter speech")
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("--format", choices=["txt", "srt", "vtt", "json"], default="txt")
    output.add_argument("--no-times", action="store_true", help="txt without the times of its lines")
    output.add_argument("--quiet", "-q", action="store_true", help="no progress bar, no partials")
    root = argparse.ArgumentParser(prog="whisper-stt", description="Speech to text by a Whisper STT service.")
    _shape(root, EPILOG)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, title: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=title, description=title, parents=[common, *parents])
        _shape(added, f"{EXAMPLES[name]}\n{EPILOG}")
        return added

    transcribe = command("transcribe", "Transcribe recordings or a pipe.", session, output)
    transcribe.add_argument("files", nargs="+", metavar="FILE", help="any format FFmpeg reads; - is standard input")
    transcribe.add_argument("--output", "-o", help="a file, or a directory for a file each (default: standard output)")
    transcribe.add_argument("--realtime", action="store_true", help="as it was spoken, with live partials")
    mic = command("mic", "Transcribe what the microphone hears.", session, output)
    mic.add_argument("--device", help="a name or number of sounddevice's (default: the system's)")
    status = command("status", "Say how the service is.")
    status.add_argument("--json", action="store_true", help="as the service said it")
    load = command("load", "Put load on the service and measure it.", session)
    load.add_argument("files", nargs="+", metavar="FILE", help="speech to talk with")
    load.add_argument("--talkers", type=_natural, default=1, help="how many at once (1)")
    load.add_argument("--ramp", type=float, default=0.0, metavar="S", help="seconds over which they start (0)")
    load.add_argument("--duration", type=float, default=30.0, metavar="S", help="seconds that each talks for (30)")
    load.add_argument("--pause", type=float, default=1.5, metavar="S", help="seconds of silence between files (1.5)")
    load.add_argument("--json", action="store_true", help="figures as JSON instead of a table")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    arguments = parser().parse_args(argv)
    try:
        code = _command(arguments.command)(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("Interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        # So that the interpreter does not meet the broken pipe again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.BROKEN_PIPE
    except MediaError as error:
        return _fail(error, Exit.INPUT)
    except WhisperSttError as error:
        return _fail(error, Exit.SERVICE)
    return code


def run() -> None:
    """The entry point."""
    sys.exit(main())


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
    sys.stderr.write(f"whisper-stt: {error}\n")
    return code


def _shape(command: argparse.ArgumentParser, epilog: str) -> None:
    command.epilog, command.formatter_class = epilog, argparse.RawDescriptionHelpFormatter


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {text}")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return value
