"""Read-only windows on the audit records."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from transcription import key_admin  # noqa: F401 - importing it registers it
from transcription.models import Segment, Session


class ReadOnly:
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class SegmentInline(ReadOnly, admin.TabularInline):
    """A session's segments."""

    model = Segment
    fields = ["segment_id", "start_ms", "duration_ms", "text", "confidence", "server_total_ms", "failure"]
    readonly_fields = fields

    @admin.display(description="server total ms")
    def server_total_ms(self, segment: Segment) -> float | None:
        """How long the final took."""
        return segment.timing.get("server_total_ms")


@admin.register(Session)
class SessionAdmin(ReadOnly, admin.ModelAdmin):
    """Sessions, the newest first."""

    list_display = [
        "session_id", "state", "language", "client", "started_at", "ended_at", "audio_s", "total_segments", "errors",
    ]  # fmt: skip
    list_filter = ["reason", "language", "started_at"]
    search_fields = ["session_id__startswith", "uid"]
    date_hierarchy = "started_at"
    show_full_result_count = False
    inlines = [SegmentInline]

    @admin.display(description="state", ordering="reason")
    def state(self, session: Session) -> str:
        """`live`, or why it ended."""
        return session.reason or "live"

    @admin.display(description="audio s", ordering="total_audio_ms")
    def audio_s(self, session: Session) -> float:
        """Seconds of audio received."""
        return round(session.total_audio_ms / 1000, 1)
