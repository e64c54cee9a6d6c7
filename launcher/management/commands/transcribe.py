"""`python manage.py transcribe`: what `whisper-stt transcribe --local` runs."""

import sys
from argparse import ArgumentParser
from typing import Any, get_args

from django.core.management.base import BaseCommand

from launcher import local
from launcher.preflight import LaunchError
from launcher.profile import machine_profile
from sttproject import env
from sttproject.checks import problems
from transcription.core.languages import normalise_language
from transcription.core.protocol import Error, ErrorCode, FinalTranscript, RedactType, encode
from workers.engines.engine import EngineError
from workers.engines.model_store import ModelUnavailable


class Command(BaseCommand):
    """Reads PCM (16 kHz, mono, 16-bit) from standard input; writes finals as in the protocol, a line of JSON each."""

    help = "Transcribe PCM from standard input with the worker's engine, without a service."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What is asked of the transcript; the model and its device are settings."""
        parser.add_argument("--language", help="(STT_LANGUAGE)")
        parser.add_argument("--model", help="(STT_WHISPER_MODEL)")
        parser.add_argument("--vad-threshold", type=float, help="(STT_VAD_THRESHOLD)")
        parser.add_argument("--formatted", action="store_true")
        parser.add_argument("--keyterm", action="append", default=[])
        parser.add_argument("--redact", nargs="*", default=[], choices=get_args(RedactType))

    def handle(self, *args: Any, **options: Any) -> None:
        """Transcribe; what keeps it from doing so is an `error`, and exit code 1."""
        try:
            stt = env.load(**self._settings(options))
            for problem in problems(stt):
                self.stderr.write(f"Warning: {problem.msg} {problem.hint or ''}".rstrip())
            engine = local.load_engine(stt)
        except (LaunchError, ModelUnavailable, EngineError, ValueError) as error:
            self._say(Error(code=ErrorCode.INTERNAL_ERROR, message=str(error), session_id=None))
            sys.exit(1)
        wishes = local.Wishes(
            stt.language, stt.vad_threshold, options["formatted"], options["redact"], options["keyterm"]
        )
        for answer in local.transcribe(engine, sys.stdin.buffer.read(), wishes, stt.beam_size):
            self._say(answer)

    def _settings(self, options: dict[str, Any]) -> dict[str, object]:
        """The profile's, under what is asked for. Raises `ValueError` for a language that nobody knows."""
        language = options["language"] and normalise_language(options["language"])
        if options["language"] and language is None:
            raise ValueError(f"{options['language']} is no language: expected a code such as pt")
        asked = {"language": language, "whisper_model": options["model"], "vad_threshold": options["vad_threshold"]}
        return machine_profile() | {name: value for name, value in asked.items() if value is not None}

    def _say(self, message: FinalTranscript | Error) -> None:
        self.stdout.write(encode(message))
        self.stdout.flush()
