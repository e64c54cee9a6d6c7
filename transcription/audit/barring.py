"""What an operator who cancels a session may ask for besides, and take back: that no other starts for some minutes."""

import math
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from transcription.cluster import bars
from transcription.cluster.capacity import probe_client
from transcription.core.contract.keyspace import MAX_BAR_S
from transcription.models import Session

MINUTES = 10
SESSION, KEY = "session", "key"


def standing(session: Session) -> list[tuple[str, str]]:
    """The bars that keep a session's caller out now: `SESSION` or `KEY`, and a sentence. Raises `redis.RedisError`."""
    key_id = None if session.api_key_id is None else str(session.api_key_id)
    of_session, of_key = bars.left_ms(probe_client(), session.session_id, key_id)
    told = [
        (SESSION, of_session, _("Its session id is barred for another %(minutes)d min.")),
        (KEY, of_key, _("Its API key is barred for another %(minutes)d min.")),
    ]
    return [(whom, text % {"minutes": math.ceil(left / 60_000)}) for whom, left, text in told if left]


def lift(session: Session, whom: str) -> Promise | str:
    """Take a bar back; says what was done, or nothing where there was none. Raises `redis.RedisError`."""
    if whom == SESSION and bars.lift_session(probe_client(), session.session_id):
        return _("The bar on its session id is lifted.")
    if whom == KEY and session.api_key_id is not None and bars.lift_key(probe_client(), str(session.api_key_id)):
        return _("The bar on its API key is lifted.")
    return ""


class BarForm(forms.Form):
    """Whom to bar, and for how long; nobody unless somebody is chosen."""

    bar = forms.ChoiceField(label=_("Afterwards"), required=False)
    minutes = forms.IntegerField(
        label=_("Minutes"), required=False, initial=MINUTES, min_value=1, max_value=MAX_BAR_S // 60
    )

    def __init__(self, session: Session, data: Any = None) -> None:
        super().__init__(data)
        self._session = session
        choices = [
            ("", _("it may start again at once")),
            (SESSION, format_lazy(_("bar the session id {name}"), name=session.session_id)),
        ]
        if session.api_key_id is not None:
            choices.append((KEY, format_lazy(_("bar the API key {name}"), name=session.api_key_name)))
        self.fields["bar"].choices = choices

    def clean(self) -> dict[str, Any]:
        """A bar has an end."""
        given = self.cleaned_data
        if given.get("bar") and "minutes" not in self.errors and not given.get("minutes"):
            self.add_error("minutes", _("Expected 1 to %(most)d.") % {"most": MAX_BAR_S // 60})
        return given

    def bar_it(self) -> Promise | None:
        """Do it; says what was done, or nothing. Raises `redis.RedisError`."""
        whom, minutes = self.cleaned_data["bar"], self.cleaned_data["minutes"]
        if whom == SESSION:
            bars.bar_session(probe_client(), self._session.session_id, minutes)
            return format_lazy(_("Its session id is barred for {minutes} min."), minutes=minutes)
        if whom == KEY:
            bars.bar_key(probe_client(), str(self._session.api_key_id), minutes)
            return format_lazy(_("Its API key is barred for {minutes} min."), minutes=minutes)
        return None
