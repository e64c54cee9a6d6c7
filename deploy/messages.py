"""What is said in English and in Portuguese: bring the catalogues up to date with the sources, and compile them.

    python deploy/messages.py

Marked strings of the service (Python, Django's templates) and of the command line are gathered into `.po` files: what
is translated stays, what nobody says any more goes. Lists what has no translation yet, and exits with 1 while there is
any. The `.mo` files are kept in the repository: neither an installation nor an image needs a compiler. Needs Babel.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
CLIENT = "clients/python/src/whisper_stt"
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}


@dataclass(frozen=True, slots=True)
class Domain:
    """A catalogue, and the folder whose strings it has."""

    sources: str
    catalogue: str
    locale: str

    @property
    def po(self) -> Path:
        """Where translations are written."""
        return ROOT / self.catalogue

    @property
    def mo(self) -> Path:
        """Where programs read them."""
        return self.po.with_suffix(".mo")


DOMAINS = (
    Domain("transcription", "transcription/locale/pt_BR/LC_MESSAGES/django.po", "pt_BR"),
    Domain(CLIENT, f"{CLIENT}/locale/pt/LC_MESSAGES/whisper_stt.po", "pt"),
)


def marked(domain: Domain) -> Catalog:
    """Every string of the sources that is marked, with the files that say it."""
    found = Catalog(locale=domain.locale)
    folder = ROOT / domain.sources
    paths = sorted(path for kind in ("*.py", "*.html") for path in folder.rglob(kind) if "migrations" not in path.parts)
    for path in paths:
        code = path.read_text()
        if path.suffix == ".html":
            # as xgettext would be given it; without indentation, which Python's tokens would stumble over
            code = "\n".join(line.strip() for line in templatize(code, origin=str(path)).splitlines())
        for _, message, _, context in extract("python", BytesIO(code.encode()), keywords=KEYWORDS):
            found.add(message, locations=[(path.relative_to(ROOT).as_posix(), 1)], context=context)
    return found


def written(domain: Domain) -> Catalog:
    """The catalogue as it is in the repository."""
    if not domain.po.exists():
        return Catalog(locale=domain.locale)
    with domain.po.open("rb") as file:
        return read_po(file, locale=domain.locale)


def untranslated(catalogue: Catalog) -> Iterator[Message]:
    """Messages that lack a translation, or one of its plurals, or have one that somebody must look at."""
    for message in catalogue:
        told = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(told)):
            yield message


def refresh(domain: Domain) -> Catalog:
    """Write the catalogue anew, and what programs read of it."""
    catalogue, found = written(domain), marked(domain)
    found.creation_date = catalogue.creation_date  # else every run would be a change
    catalogue.update(found, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    domain.po.parent.mkdir(parents=True, exist_ok=True)
    with domain.po.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, include_lineno=False)
    with domain.mo.open("wb") as file:
        write_mo(file, catalogue)
    return catalogue


def main() -> int:
    """Refresh all catalogues; how many strings lack a translation decides the exit code."""
    settings.configure()  # for `templatize`
    lacking = [(domain, message) for domain in DOMAINS for message in untranslated(refresh(domain))]
    for domain, message in lacking:
        sys.stdout.write(f"{domain.catalogue}: {message.id!r} ({', '.join(path for path, _ in message.locations)})\n")
    sys.stdout.write(f"{len(lacking)} to translate\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
