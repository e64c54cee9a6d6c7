"""The tables of all rooms: API keys, and audit records, which are what is kept of a session, not what it works with.

`audit/records.py` is the records' only writer; only erasing and purging (`audit/retention.py`) take some away.
"""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ApiKey(models.Model):
    """A client's right to connect. `keys/access.py` issues and finds them.

    The key itself, `stt_<prefix>_<secret>`, is not kept: `digest` is its SHA-256. A slow, salted hash would protect
    passwords, which people choose and repeat; a secret of 256 random bits cannot be guessed from a fast one, and a
    handshake must cost next to nothing.
    """

    name = models.CharField(_("name"), max_length=64, help_text=_("Whose key it is"))
    prefix = models.CharField(max_length=12, unique=True, editable=False, help_text="How the key begins, after stt_")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created = models.DateTimeField(_("created"), editable=False)
    expires = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Never, when empty"))
    revoked = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used = models.DateTimeField(_("last used"), null=True, editable=False, help_text=_("To the minute"))
    max_sessions = models.PositiveIntegerField(
        _("max sessions"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("At a time; no limit of its own when empty"),
    )
    minutes_a_day = models.PositiveIntegerField(
        _("minutes a day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Minutes of audio a day (UTC); no limit when empty"),
    )

    class Meta:
        ordering = ["name", "-created"]
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} (stt_{self.prefix}_…)"

    def clean(self) -> None:
        """A new key must be good for a while."""
        if self.pk is None and self.expires and self.expires <= timezone.now():
            raise ValidationError({"expires": _("Expected a time to come.")})


class Session(models.Model):
    """One client conversation over one connection: one that is resumed has a row for each."""

    uid = models.CharField(_("uid"), max_length=32, unique=True, help_text="The service's own name for it")
    session_id = models.CharField(_("session id"), max_length=128, db_index=True, help_text="The client's name for it")
    client = models.CharField(_("client"), max_length=64, blank=True, help_text="Address the client connected from")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="sessions")
    api_key_name = models.CharField(
        _("API key name"), max_length=64, blank=True, help_text="The key's name, which outlives the key"
    )
    language = models.CharField(_("language"), max_length=8)
    sample_rate = models.PositiveIntegerField(_("sample rate"))
    config = models.JSONField(default=dict)
    started_at = models.DateTimeField(_("started at"), db_index=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    reason = models.CharField(max_length=16, blank=True, db_index=True, help_text="Why it ended; empty while live")
    total_audio_ms = models.FloatField(default=0)
    total_segments = models.PositiveIntegerField(_("total segments"), default=0)
    errors = models.PositiveIntegerField(_("errors"), default=0)
    worst_final_ms = models.FloatField(null=True, help_text="Slowest final, from the end of speech")
    events = models.JSONField(default=list, help_text="What happened besides segments: [{t_ms, what, times}]")

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ["-started_at"]
        # ascending, so that read backwards they give the admin's order: by -started_at, then by -id
        indexes = [
            models.Index(fields=["reason", "started_at"], name="session_reason_started"),
            models.Index(fields=["language", "started_at"], name="session_language_started"),
            models.Index(fields=["started_at"], condition=models.Q(errors__gt=0), name="session_with_errors"),
            models.Index(fields=["worst_final_ms"], name="session_worst_final"),
        ]
        permissions = [
            ("view_transcript", "Can see what was said"),
            ("watch_session", "Can watch live sessions"),
            ("cancel_session", "Can cancel a live session"),
            ("erase_session", "Can erase a session and all it left"),
        ]

    def __str__(self) -> str:
        return self.session_id


class Segment(models.Model):
    """One utterance and its final, or why it has none. Times are ms; see `core/session/trace.py`."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="segments")
    segment_id = models.CharField(_("segment id"), max_length=32)
    start_ms = models.FloatField()
    duration_ms = models.FloatField()
    speech_end_ms = models.FloatField(null=True, help_text="Where in the session's audio speech was last heard")
    text = models.TextField(blank=True)
    confidence = models.FloatField(default=0)
    words = models.JSONField(default=list)
    timing = models.JSONField(default=dict)
    asked_ms = models.FloatField(null=True, help_text="When its final was asked for, since the session opened")
    answered_ms = models.FloatField(null=True)
    sent_ms = models.FloatField(null=True)
    latency_ms = models.FloatField(null=True, help_text="From the end of speech to the final's message")
    latency = models.JSONField(default=dict, help_text="The same by stage")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    batch_size = models.PositiveSmallIntegerField(default=0, help_text="Requests decoded together; 0: not known")
    partials = models.JSONField(default=list, help_text="[[audio end ms, latency ms, characters]]; no text")
    failure = models.TextField(_("failure"), blank=True, help_text="Why there is no transcript")
    # null, as what runs while a deployment rolls knows no such column
    dropped = models.JSONField(null=True, help_text="What the model wrote and nobody said: text, reason, score")
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["session", "start_ms"]
        constraints = [models.UniqueConstraint(fields=["session", "segment_id"], name="one_final_a_segment")]
        indexes = [
            models.Index(fields=["session", "start_ms"], name="segment_session_start"),
            models.Index(fields=["-id"], condition=~models.Q(failure=""), name="segment_failed"),
            models.Index(fields=["-id"], condition=models.Q(attempts__gt=1), name="segment_retried"),
            models.Index(fields=["-id"], condition=models.Q(latency_ms__gt=1000), name="segment_slow"),
        ]

    def __str__(self) -> str:
        return self.segment_id
