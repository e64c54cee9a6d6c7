"""`python -m whisper_stt.cli`."""

from whisper_stt.cli import run

run()
