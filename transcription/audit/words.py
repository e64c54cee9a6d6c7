"""What states and stages are called on the admin's pages, in the language of who reads them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from transcription.core.protocol import EndReason

LIVE, LOST = "live", "lost"
UNKNOWN = "unknown"
"""Live, unless lost: Redis, which knows, is away."""

STATES: dict[str, Promise] = {
    LIVE: _("live"),
    LOST: _("lost"),
    UNKNOWN: _("live, as far as is known"),
    EndReason.COMPLETED: _("completed"),
    EndReason.CANCELLED: _("cancelled"),
    EndReason.ERROR: _("error"),
    EndReason.TIMEOUT: _("timeout"),
    EndReason.DISCONNECTED: _("disconnected"),
    EndReason.RESUMED: _("resumed"),
}
"""By the state of a session: live or not, else why it ended."""

STAGES: dict[str, Promise] = {
    "vad_wait": _("VAD wait"),
    "queue": _("queue"),
    "batch_wait": _("batch"),
    "model": _("model"),
    "delivery": _("delivery"),
}
"""By the fields of `core/session/trace.py` `Latency`."""

AXES = (
    gettext_noop("access attempt"),
    gettext_noop("access attempts"),
    gettext_noop("access failure"),
    gettext_noop("access failures"),
    gettext_noop("access log"),
    gettext_noop("access logs"),
    gettext_noop("access attempt expiration"),
    gettext_noop("access attempt expirations"),
    gettext_noop("User Agent"),
    gettext_noop("IP Address"),
    gettext_noop("HTTP Accept"),
    gettext_noop("Path"),
    gettext_noop("Attempt Time"),
    gettext_noop("Access lock out"),
    gettext_noop("GET Data"),
    gettext_noop("POST Data"),
    gettext_noop("Failed Logins"),
    gettext_noop("Access Attempt"),
    gettext_noop("Expires At"),
    gettext_noop("The time when access attempt expires and is no longer valid."),
    gettext_noop("Logout Time"),
    gettext_noop("Session key hash (sha256)"),
    gettext_noop("Locked Out"),
    gettext_noop("Form Data"),
    gettext_noop("Meta Data"),
    gettext_noop("Clean up expired attempts"),
    gettext_noop("Not set"),
    gettext_noop("Attempt Remaining"),
    gettext_noop("Account locked: too many login attempts. Please try again later."),
    gettext_noop("Account locked: too many login attempts. Contact an admin to unlock your account."),
)
"""What django-axes says of failed logins; it has no Portuguese."""
