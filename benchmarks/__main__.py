"""`python -m benchmarks`."""

import sys
from importlib import import_module

ALONE = {"gpu": "benchmarks.gpu.cli", "simulate": "benchmarks.simulation.cli"}
"""Commands with options of their own. `gpu` runs where little is installed, so nothing else is imported for it."""

command = sys.argv[1] if len(sys.argv) > 1 else ""
arguments = sys.argv[2:] if command in ALONE else sys.argv[1:]
sys.exit(import_module(ALONE.get(command, "benchmarks.cli")).main(arguments))
