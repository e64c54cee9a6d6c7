"""HTTP routes."""

from django.contrib import admin
from django.urls import path

from transcription import views

admin.site.site_header = admin.site.site_title = "Whisper STT"

urlpatterns = [
    path("", views.root),
    path("health/live", views.live),
    path("health/startup", views.startup),
    path("health/ready", views.ready),
    path("health/status", views.status),
    path("metrics", views.metrics),
    path("admin/", admin.site.urls),
]
