"""The secret that signs the admin's cookies: made at the first start where none is set, and kept."""

import secrets
from pathlib import Path

from django.conf import settings

FILE = "secret-key"


def kept_secret() -> tuple[str, str]:
    """The secret, and what is to be said of it: nothing where it was there.

    Kept beside an SQLite database, else in the checkout; readable by its owner alone. Where nothing can be written it
    is good for this start.
    """
    database = settings.DATABASES["default"]
    sqlite = database["ENGINE"] == "django.db.backends.sqlite3"
    file = (Path(database["NAME"]).parent if sqlite else settings.BASE_DIR) / FILE
    try:
        if kept := file.read_text().strip():
            return kept, ""
    except OSError:
        pass  # the first start, or one that could not write
    made = secrets.token_urlsafe(48)
    try:
        file.touch(mode=0o600)
        file.write_text(f"{made}\n")
    except OSError as error:
        return made, f"A SECRET_KEY for this start alone: {file} cannot be written ({error.strerror})."
    return made, f"Made a SECRET_KEY, kept in {file}"
