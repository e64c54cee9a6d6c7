"""The tables of all rooms: API keys, webhooks, and audit records: what is kept of a session, not what it works with.

`audit/records.py` is the records' only writer; only erasing and purging (`audit/retention.py`) take some away.
"""

from django.conf import settings
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

    operator = models.BooleanField(
        _("operator"),
        default=False,
        db_default=False,
        help_text=_("An operator's: it may read the usage of all keys (/api/usage)"),
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
    client = models.CharField(
        _("client"), max_length=64, blank=True, db_index=True, help_text="Address the client connected from"
    )
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="sessions")
    api_key_name = models.CharField(
        _("API key name"), max_length=64, blank=True, help_text="The key's name, which outlives the key"
    )
    external_id = models.CharField(
        _("external id"),
        max_length=128,
        blank=True,
        default="",
        db_default="",
        db_index=True,
        help_text="What it is named elsewhere",
    )
    dialect = models.CharField(
        _("dialect"), max_length=32, blank=True, default="", db_default="", help_text="How its client spoke"
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


class Tag(models.Model):
    """A word that a session may be found by, given with its `start_session`."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="a_tag_once_a_session")]
        indexes = [models.Index(fields=["name", "session"], name="tag_name_session")]

    def __str__(self) -> str:
        return self.name


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
    # likewise
    channel = models.PositiveSmallIntegerField(null=True, help_text="Of several, counted from 0")
    language = models.CharField(  # noqa: DJ001
        max_length=8, null=True, help_text="What the text is in, where it was found out"
    )
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


class Webhook(models.Model):
    """An address that is told what happens. `webhooks/` has all that is done with it."""

    name = models.CharField(_("name"), max_length=64, unique=True, help_text=_("Whose it is"))
    url = models.CharField(
        _("address"), max_length=500, help_text=_("At one of the hosts of STT_WEBHOOK_HOSTS; told by POST")
    )
    secret = models.CharField(max_length=100, editable=False, help_text="Signs what is sent; shown once")
    segment_final = models.BooleanField(_("segment.final"), default=True, help_text=_("Tell of each final transcript"))
    session_closed = models.BooleanField(_("session.closed"), default=True, help_text=_("Tell of each session's end"))
    api_key = models.ForeignKey(
        ApiKey,
        models.CASCADE,  # never wider than it was
        null=True,
        blank=True,
        verbose_name=_("API key"),
        help_text=_("Tell of this key's sessions alone; of all when empty"),
    )
    active = models.BooleanField(_("active"), default=True, help_text=_("While it is not, nothing is sent or noted"))
    created = models.DateTimeField(_("created"), auto_now_add=True)
    delivered = models.PositiveBigIntegerField(_("delivered"), default=0, editable=False)
    failed = models.PositiveBigIntegerField(_("failed attempts"), default=0, editable=False)
    given_up = models.PositiveBigIntegerField(_("given up"), default=0, editable=False)
    last_delivered = models.DateTimeField(_("last delivered"), null=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """An event that an endpoint has still to be told: gone once it was, or once its session is erased.

    `audit/records.py` writes it in the transaction of the record it tells of, so that there is one if there is the
    other; `webhooks/queue.py` hands it out.
    """

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    session = models.ForeignKey(Session, models.CASCADE, related_name="deliveries", verbose_name=_("session"))
    event_id = models.CharField(_("event id"), max_length=128, help_text="The header webhook-id, of every attempt")
    event_type = models.CharField(_("event"), max_length=32)
    body = models.TextField(help_text="As it is signed and sent")
    created = models.DateTimeField(_("created"))
    due = models.DateTimeField(help_text="When it may be tried; while it is tried, when that is given up")
    until = models.DateTimeField(help_text="When it is tried no more")
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    failure = models.CharField(_("last failure"), max_length=200, blank=True)
    given_up = models.DateTimeField(_("given up"), null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("undelivered event")
        verbose_name_plural = _("undelivered events")
        constraints = [models.UniqueConstraint(fields=["webhook", "event_id"], name="one_delivery_an_event")]
        indexes = [
            models.Index(fields=["webhook", "due"], condition=models.Q(given_up=None), name="delivery_waiting"),
            models.Index(fields=["webhook"], condition=models.Q(given_up__isnull=False), name="delivery_given_up"),
        ]
        permissions = [("redeliver_delivery", "Can have an event sent again")]

    def __str__(self) -> str:
        return self.event_id


class Refusal(models.Model):
    """Starts that a web process refused within some seconds; counted into `Usage`, then deleted. It names no caller."""

    at = models.DateTimeField(db_index=True)
    api_key_name = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=8)
    dialect = models.CharField(max_length=32)
    code = models.CharField(max_length=32)
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} {self.code}"


class Usage(models.Model):
    """What happened in an hour or on a day under one key, in one language, over one dialect. It names no caller.

    `audit/rollup.py` makes them of sessions, which may go before; sessions count where they started.
    """

    class Grain(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    grain = models.CharField(max_length=4, choices=Grain.choices)
    start = models.DateTimeField()
    api_key_name = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=8)
    dialect = models.CharField(max_length=32, blank=True)
    sessions = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    segments = models.PositiveIntegerField(default=0)
    audio_ms = models.FloatField(default=0)
    finals = models.JSONField(default=dict, help_text="Latencies of finals, from the end of speech: audit/histogram.py")
    first_texts = models.JSONField(default=dict, help_text="From a segment's start to its first text")
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = verbose_name_plural = "usage"
        constraints = [
            models.UniqueConstraint(
                fields=["grain", "start", "api_key_name", "language", "dialect"], name="a_use_once_a_start"
            )
        ]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.api_key_name} {self.language} {self.dialect}"


class BulkJob(models.Model):
    """Many sessions to be exported, or erased, in the background: `audit/bulk.py` does it."""

    class Kind(models.TextChoices):
        EXPORT = "export"
        ERASE = "erase"

    class State(models.TextChoices):
        ASKED = "asked"
        """To be confirmed by whom it is from."""
        WAITING = "waiting"
        DONE = "done"
        STOPPED = "stopped"
        """By whom it is from, or because they have no right to it any more."""

    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, db_index=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    transcripts = models.BooleanField(default=False, help_text="Whether an export has what was said")
    keys = models.JSONField(default=list, help_text="Primary keys of the sessions; they name nobody")
    done = models.PositiveIntegerField(default=0, help_text="How many of them have had their turn")
    skipped = models.PositiveIntegerField(default=0, help_text="Live, or gone before")
    trouble = models.CharField(max_length=200, blank=True, help_text="Why it waits, or was stopped")
    claimed_until = models.DateTimeField(null=True, help_text="A process is at it")
    created = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class BulkPart(models.Model):
    """What an export has of one session; it goes with the session."""

    job = models.ForeignKey(BulkJob, models.CASCADE, related_name="parts")
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")
    name = models.CharField(max_length=160)
    content = models.BinaryField(help_text="JSON, compressed by zlib")

    def __str__(self) -> str:
        return self.name
