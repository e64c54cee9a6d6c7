"""`python manage.py models list | pull NAME | check [NAME]`."""

from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from launcher import preflight
from launcher.preflight import LaunchError
from launcher.profile import machine_profile
from sttproject import env
from sttproject.checks import is_english_only
from workers.engines import cuda, model_store
from workers.engines.model_store import ModelUnavailable


class Command(BaseCommand):
    """Shows, fetches and tries the models that workers decode with."""

    help = "The models: which there are and where they are, fetch one, see whether one works here."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do, and with which model."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="names, download sizes, where those are that are here")
        pull = actions.add_parser("pull", help="fetch one: into STT_MODEL_DIR if that is set, else the hub's cache")
        pull.add_argument("name", help="a name of the list, or a CTranslate2 repo id (owner/name)")
        check = actions.add_parser("check", help="whether one is here and loads on STT_DEVICE; nothing is fetched")
        check.add_argument("name", nargs="?", help="(STT_WHISPER_MODEL)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises `CommandError` when a model cannot be had, or does not load."""
        if not find_spec("faster_whisper"):
            raise CommandError("Models are for workers: pip install -r requirements/worker.txt.")
        stt = env.load(**machine_profile())
        name = options.get("name") or stt.whisper_model
        try:
            match options["action"]:
                case "list":
                    self._list(stt)
                case "pull":
                    self.stdout.write(str(model_store.fetch(name, stt.model_dir, stt.cache_dir)))
                case _:
                    self.stdout.write(_check(name, stt))
        except ModelUnavailable as error:
            raise CommandError(str(error)) from None

    def _list(self, stt: env.Env) -> None:
        """A line a model; the one that is configured is marked, and added where it has no name."""
        known = model_store.names()
        for name in known if stt.whisper_model in known else [*known, stt.whisper_model]:
            mark = "*" if name == stt.whisper_model else " "
            size = model_store.download_mb(name)
            language = "English" if is_english_only(name) else "99 languages"
            where = model_store.find(name, stt.model_dir) or "not here"
            self.stdout.write(f"{mark} {name:<18}{f'{size} MB' if size else '?':>8}  {language:<14}{where}")
        self.stdout.write("* is STT_WHISPER_MODEL. Another: manage.py models pull NAME")


def _check(name: str, stt: env.Env) -> str:
    """What is to be said of a model that loads. Raises `CommandError`."""
    if not (where := model_store.find(name, stt.model_dir)):
        raise CommandError(f"{name} is not here: manage.py models pull {name}")
    try:
        preflight.device(stt)
    except LaunchError as error:
        raise CommandError(str(error)) from None
    import ctranslate2  # heavy, and not part of a web-only installation

    path = model_store.resolve(name, stt.model_dir, stt.cache_dir)
    try:
        ctranslate2.models.Whisper(str(path), device=stt.device, compute_type=stt.compute_type)
    except (RuntimeError, ValueError) as error:
        raise CommandError(
            f"{name} ({where}) does not load on {stt.device}, {stt.compute_type}: {cuda.meaning(error)}"
        ) from None
    return f"{name} ({where}) loads on {stt.device}, {stt.compute_type}."
