"""Django's settings, computed from the environment. One module for every installation."""

import socket
import warnings
from datetime import timedelta
from pathlib import Path

import dj_database_url

from sttproject import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
STT = env.load()

SECRET_KEY = STT.secret_key
DEBUG = STT.debug
ALLOWED_HOSTS = STT.allowed_hosts

INSTALLED_APPS = [
    "sttproject.admin_app.Admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_prometheus",
    "channels",
    "axes",
    "sttproject",
    "transcription",
    "launcher",
]
MIDDLEWARE = [
    "transcription.ingress.prefix.VaryByPrefix",
    "transcription.ingress.nul.NoNul",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "transcription.ingress.probes.AnyHost",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "transcription.ingress.language.AdminLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# The admin's door: five wrong passwords for a name from an address close it to them for a quarter of an hour.
# Counted in the database, for all web processes. Not by name alone, or anybody could lock the operator out.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_SENSITIVE_PARAMETERS = ["username", "password"]
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

if STT.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
    # the admin's forms, where a proxy between says http. STT_ALLOWED_ORIGINS may open sessions, not fill in these
    CSRF_TRUSTED_ORIGINS = [
        f"https://*{host}" if host.startswith(".") else f"https://{host}" for host in ALLOWED_HOSTS if host != "*"
    ]
# other services on the host neither get these cookies nor set them
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{STT.path_prefix}/"
# the proxy's to decide, which knows the domain and its other hosts: HSTS for subdomains, preloading, the redirect
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "security.W008"]

ROOT_URLCONF = "sttproject.urls"
ASGI_APPLICATION = "sttproject.asgi.application"
DATABASES = {"default": dj_database_url.parse(STT.database_url, conn_max_age=0)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # one writer at a time, and readers that do not wait for it
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        # secure_delete: what is erased is overwritten
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
    # the same file wherever a command is started
    DATABASES["default"]["NAME"] = str(BASE_DIR / DATABASES["default"]["NAME"])
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # a database that is gone is noticed in seconds, not when TCP gives up
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 3,
        "tcp_user_timeout": 5000,
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNELS_REDIS = STT.redis.channels(
    socket_timeout=2.0,
    socket_connect_timeout=1.0,
    socket_keepalive=True,
    health_check_interval=5,
    # who only listens would never know that the other machine is gone; fewer seconds than a session waits for a final
    socket_keepalive_options={
        getattr(socket, name): seconds
        for name, seconds in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)  # Linux
    },
)
CHANNEL_LAYERS = {
    "default": {
        # pub/sub: no capacity shared by a whole process, and it finds its groups again after a Redis restart
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [CHANNELS_REDIS], "prefix": "stt"},
    },
}

LANGUAGE_CODE = STT.language_code
LANGUAGES = [("en", "English"), ("pt-br", "Português")]
FORMAT_MODULE_PATH = "sttproject.formats"
TIME_ZONE = STT.time_zone  # of the log, too: Django sets the process to it
USE_TZ = True
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "transcription.ingress.prefix.PrefixedStatic"},
}
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
warnings.filterwarnings("ignore", message="No directory at")  # before collectstatic the finders serve
PROMETHEUS_EXPORT_MIGRATIONS = False

LOGGING = logs.configuration(STT)
