"""API keys in the database: issued, found, revoked. Everything here waits for the database; `keyring.py` does not.

A key is found by its digest, in one indexed query that asks whether it is good as well. A wrong secret, an unknown
prefix, a revoked, expired or foreign key are the same query with the same answer, no row, so they take the same time.
What an index may tell by its timing is how a stored digest begins, and no key can be made from that.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q, QuerySet

from transcription.core.capacity.admission import Principal
from transcription.models import ApiKey

USED_EVERY = timedelta(minutes=1)
"""How exact `ApiKey.last_used` is."""


@dataclass(frozen=True, slots=True)
class Key(Principal):
    """A principal with what only the key's own account needs."""

    minutes_a_day: int | None


def digest(token: str) -> str:
    """What is kept of a key; see `models.ApiKey`."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(key: ApiKey) -> str:
    """Give a new key its secret, save it and return the whole of it, which is not kept. Raises `ValidationError`."""
    key.prefix = secrets.token_hex(6)
    token = f"stt_{key.prefix}_{secrets.token_urlsafe(32)}"
    key.digest = digest(token)
    key.created = datetime.now(UTC)
    key.full_clean()
    key.save(force_insert=True)
    return token


def revoke(keys: QuerySet[ApiKey]) -> int:
    """Revoke those not revoked yet, for good; how many."""
    return keys.filter(revoked=None).update(revoked=datetime.now(UTC))


def find(token: str) -> Key | None:
    """The key with this token; `None` when there is none, or when it is revoked or has expired."""
    return next(iter(_holders(Q(digest=digest(token)))), None)


def is_operator(token: str) -> bool:
    """Whether this is a good key, and an operator's."""
    return bool(_holders(Q(digest=digest(token), operator=True)))


def good(key_ids: Collection[str]) -> dict[str, Key]:
    """Those of the keys that are neither revoked nor expired, by id."""
    return {key.key_id: key for key in _holders(Q(pk__in=key_ids))}


def used(key: Key) -> Callable[[], None]:
    """A write for `audit/records.py` to do in its turn: the key was used now."""
    now = datetime.now(UTC)
    stale = Q(last_used=None) | Q(last_used__lt=now - USED_EVERY)

    def write() -> None:
        ApiKey.objects.filter(stale, pk=key.key_id).update(last_used=now)

    return write


def _holders(wanted: Q) -> list[Key]:
    unexpired = Q(expires=None) | Q(expires__gt=datetime.now(UTC))
    fields = ("pk", "name", "max_sessions", "minutes_a_day")
    rows = ApiKey.objects.filter(wanted, unexpired, revoked=None).order_by().values_list(*fields)
    try:
        found = list(rows)
    except (OperationalError, InterfaceError):
        connection.close()  # it may only be this connection: the next is new
        found = list(rows.all())
    return [Key(str(pk), name, max_sessions, minutes) for pk, name, max_sessions, minutes in found]
