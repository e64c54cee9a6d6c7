"""HTTP routes."""

from django.contrib import admin
from django.urls import path

from transcription import views
from transcription.audit import home

admin.site.site_header = admin.site.site_title = "Whisper STT"

urlpatterns = [
    path("", views.root, name="root"),
    path("health/live", views.live),
    path("health/startup", views.startup),
    path("health/ready", views.ready),
    path("health/status", views.status, name="status"),
    path("metrics", views.metrics, name="metrics"),
    path("api/usage", home.api, name="usage"),
    path("ws/stt", views.websocket),
    path("ws/stt/", views.websocket),
    path("v1/listen", views.websocket),
    path("v2/listen", views.websocket),
    path("v1/realtime", views.websocket),
    path("v1/jambonz", views.websocket),
    path("v1/twilio", views.websocket),
    path("v1/asterisk", views.websocket),
    path("v1/calls/<path:call>", views.websocket),
    path("ws/admin/live", views.websocket),
    path("admin/", admin.site.urls),
]
