"""Audit records: what we keep of a session, not what we think with. `records.py` is their only writer."""

from django.db import models


class Session(models.Model):
    """One client conversation."""

    uid = models.CharField(max_length=32, unique=True, help_text="The service's own name for it")
    session_id = models.CharField(max_length=128, db_index=True, help_text="The client's name for it")
    client = models.CharField(max_length=64, blank=True, help_text="Address the client connected from")
    language = models.CharField(max_length=8)
    sample_rate = models.PositiveIntegerField()
    config = models.JSONField(default=dict)
    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=16, blank=True, db_index=True, help_text="Why it ended; empty while live")
    total_audio_ms = models.FloatField(default=0)
    total_segments = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return self.session_id


class Segment(models.Model):
    """One utterance and its final, or why it has none."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="segments")
    segment_id = models.CharField(max_length=32)
    start_ms = models.FloatField()
    duration_ms = models.FloatField()
    text = models.TextField(blank=True)
    confidence = models.FloatField(default=0)
    words = models.JSONField(default=list)
    timing = models.JSONField(default=dict)
    failure = models.TextField(blank=True, help_text="Why there is no transcript")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["session", "start_ms"]
        constraints = [models.UniqueConstraint(fields=["session", "segment_id"], name="one_final_a_segment")]

    def __str__(self) -> str:
        return self.segment_id
