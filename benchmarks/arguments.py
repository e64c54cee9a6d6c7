"""The command line of the benchmarks: options as `Options` has them, each with its help."""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.conditions import CONDITIONS
from benchmarks.dictation import HALVES
from benchmarks.options import Options
from benchmarks.paired import Variant


def parse(commands: Collection[str], arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; what is not given keeps its default."""
    # with SUPPRESS only what was given is set, and the one list of defaults is `Options`
    parser = argparse.ArgumentParser("python -m benchmarks", argument_default=argparse.SUPPRESS)
    parser.add_argument("command", choices=commands)
    defaults = Options()
    for group in (_of_the_run, _of_what_is_said, _of_the_load):
        group(parser, defaults)
    return parser.parse_args(arguments, namespace=defaults)


def _of_the_run(parser: argparse.ArgumentParser, defaults: Options) -> None:
    add = parser.add_argument
    add("--manifest", type=Path, metavar="PATH", help="JSON Lines file that names the clips (the test speech)")
    add("--checkout", type=Path, metavar="DIR", help="launch the service of another checkout")
    add("--launch", action="store_true", help="start the service for the run")
    add("--url", help=f"the service's WebSocket ({defaults.url})")
    add(
        "--header",
        dest="headers",
        type=_header,
        action="append",
        metavar="NAME:VALUE",
        help="send with handshakes",
    )
    add("--model", type=Path, metavar="DIR", help="CTranslate2 model, for all that decodes without the service")
    add("--device", help="cpu, cuda or auto")
    add("--compute-type", help="of the model (float16 on a GPU, int8 on a CPU)")
    add("--threads", type=int, help="CPU threads of the model (CTranslate2's choice)")
    add("--out", type=Path, metavar="DIR", help="where reports go (benchmarks/out)")
    add("--seed", type=int, help="of every choice: clips, order, pauses")


def _of_what_is_said(parser: argparse.ArgumentParser, defaults: Options) -> None:
    add = parser.add_argument
    add("--folder", type=lambda name: name or None, help="of the manifest's files (any)")
    add("--ref", dest="refs", type=_words, help=f"kinds of reference ({','.join(sorted(defaults.refs))})")
    add("--limit", type=int, help="how many clips, taken from each speaker in turn (all)")
    add("--least-s", type=float, metavar="S", help="how long a clip is at least (0)")
    add("--pieces-ms", type=_numbers, metavar="MS,MS", help="lengths of pieces that replay compares (the service's)")
    add("--recordings", type=Path, metavar="DIR", help="a folder a language, for languages (espeak-ng's voices)")
    add("--noise", type=Path, metavar="PATH", help="manifest of clips without speech, for noise and street conditions")
    add(
        "--conditions",
        type=_conditions,
        help=f"of wer, accuracy and short, separated by commas: {', '.join(CONDITIONS)}, or all",
    )
    add(
        "--no-offline",
        dest="offline",
        action="store_false",
        help="noise and short: the service alone, in a third of the time",
    )
    add("--voices", type=_names, help=f"of espeak-ng, for short and turns; '' for none ({','.join(defaults.voices)})")
    add("--turn-model", metavar="NAME", help="as STT_TURN_MODEL, for turns: how they sound, too")
    add("--half", choices=HALVES, help=f"of what turns has dictated ({defaults.half})")
    add(
        "--decode-ms",
        type=float,
        help=f"how long after it was asked for a text is there, in turns ({defaults.decode_ms:g})",
    )


def _of_the_load(parser: argparse.ArgumentParser, defaults: Options) -> None:
    add = parser.add_argument
    add(
        "--talkers",
        type=_numbers,
        help="numbers of talkers to run, 1,2,4; for wer, noise, short, sessions at a time; for overload, its capacity",
    )
    add("--seconds", type=float, help=f"least length of a talker's session ({defaults.seconds:g})")
    add("--variant", dest="variants", type=Variant.parse, action="append", metavar="NAME: SETTING=VALUE … @CHECKOUT",
        help="a service that `paired` and `uploads` launch")  # fmt: skip
    add("--rounds", type=int, help=f"how often each variant of `paired` runs ({defaults.rounds})")
    add("--uploads", type=int, help=f"recordings transcribed at a time, in uploads ({defaults.uploads})")
    add("--max-talkers", type=int, help=f"where the ramp of capacity ends ({defaults.max_talkers})")
    add("--naive", action="store_true", help="capacity of the naive server instead of the service")
    add("--partial-interval-ms", type=float, help=f"between partials ({defaults.partial_interval_ms:g})")
    add("--endpoint-ms", type=float, help=f"silence that ends an utterance, naive ({defaults.endpoint_ms:g})")
    add("--drain-s", type=float, help=f"wait for outstanding answers ({defaults.drain_s:g})")
    add("--pid", type=int, help="launcher of the service: only its descendants are measured")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _conditions(text: str) -> tuple[str, ...]:
    names = tuple(CONDITIONS) if text == "all" else _names(text)
    if unknown := [name for name in names if name not in CONDITIONS]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(CONDITIONS)}, got {unknown[0]}")
    return names


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected NAME:VALUE, got {text}")
    return name.strip(), value.strip()
