"""The command line."""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reporting import report
from reliability import chaos, soak
from reliability.faults import FAULTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 when a promise was broken."""
    parser = argparse.ArgumentParser("python -m reliability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_chaos(commands.add_parser("chaos", help=chaos.__doc__))
    _add_soak(commands.add_parser("soak", help=soak.__doc__))
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="whisper-stt-reliability-") as directory:
        return given.run(given, Path(directory))


def _add_chaos(parser: argparse.ArgumentParser) -> None:
    default = chaos.Options()
    _add_common(parser, default.minutes, default.talkers)
    parser.add_argument("--faults", type=_names, default=default.faults, help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--persistent", action="store_true", help="Valkey with an append-only file")
    parser.add_argument("--sentinels", action="store_true", help="a replica, which sentinels promote: Redis fails over")
    parser.add_argument("--seed", type=int, default=default.seed, help="of faults, their order, and speech")
    parser.set_defaults(run=_chaos)


def _add_soak(parser: argparse.ArgumentParser) -> None:
    default = soak.Options()
    _add_common(parser, default.minutes, default.talkers)
    parser.add_argument("--every", type=float, default=default.every_s, metavar="S", help="between two looks")
    parser.set_defaults(run=_soak)


def _add_common(parser: argparse.ArgumentParser, minutes: float, talkers: int) -> None:
    parser.add_argument("--minutes", type=float, default=minutes, help=f"how long ({minutes:g})")
    parser.add_argument("--talkers", type=int, default=talkers, help=f"sessions at a time ({talkers})")
    parser.add_argument("--set", dest="settings", type=_setting, action="append", default=[], metavar="NAME=VALUE",
        help="a setting of the service")  # fmt: skip


def _chaos(given: argparse.Namespace, directory: Path) -> int:
    options = chaos.Options(
        minutes=given.minutes,
        talkers=given.talkers,
        faults=given.faults,
        persistent=given.persistent,
        sentinels=given.sentinels,
        seed=given.seed,
        settings=dict(given.settings),
    )
    account = asyncio.run(chaos.chaos(options, directory))
    report("\n" + chaos.chaos_markdown(account))
    return 0 if account.sound else 1


def _soak(given: argparse.Namespace, directory: Path) -> int:
    options = soak.Options(given.minutes, given.talkers, given.every, dict(given.settings))
    report("\n" + soak.soak_markdown(asyncio.run(soak.soak(options, directory))))
    return 0


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in FAULTS]:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}; expected of {', '.join(FAULTS)}")
    return names


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text}")
    return name, value
