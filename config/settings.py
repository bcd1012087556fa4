"""The one settings module: tests, demo and production differ by the environment only."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.env import read

BASE_DIR = Path(__file__).resolve().parent.parent
env, DATA_FOLDER = read()

DEBUG = env.flag("DEBUG", default=False)
# Without a stack and without a key (collectstatic, lint) nothing is served, so nothing is signed.
SECRET_KEY = env.text("SECRET_KEY", "not-for-serving-" + "0" * 40)
# Earlier ones that still open what they sealed and signed, while SECRET_KEY is being changed.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "*" if DEBUG else "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = env.text("PUBLIC_URL", env.text("WEB_URL", "http://127.0.0.1:8000"))
# Event streams: a process of their own, on the web port + 10 of the same host unless set.
STREAMS_URL = env.text("STREAMS_URL", "").rstrip("/")
STREAMS_PORT = env.integer("STREAMS_PORT", 8010, minimum=1)
# flagd's gRPC sync, in the same process, on the web port + 15.
SYNC_HOST = env.text("SYNC_HOST", "127.0.0.1")
SYNC_PORT = env.integer("SYNC_PORT", 8015, minimum=1)
# Hosts and networks that may be asked although they are not on the open internet.
OUTBOUND_ALLOWED = env.words("OUTBOUND_ALLOWED")
BEHIND_TLS = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "ninja",
    "web",
    "projects",
    "events",
    "releases",
    "flags",
    "insights",
    "stack",
]
MIDDLEWARE = [
    "web.straight.StraightMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "web.streams.ConnectMiddleware",
    "web.errors.ErrorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
STRAIGHT = ("/ofrep/", "/flagd/")
STRAIGHT_URLCONF = "flags.straight_urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _postgres(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "web.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "flipscope",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 3, **options},
    }


DATABASES = {
    "default": _postgres(
        env.url(
            "DATABASE_URL",
            "postgresql://flipscope@127.0.0.1:5432/flipscope",
            schemes=("postgresql", "postgres"),
        )
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.url(
    "REDIS_URL", "redis://127.0.0.1:6379/0", schemes=("redis", "rediss", "unix", "valkey")
)
_cache = {
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": "flipscope",
    "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
}
CACHES = {
    "default": {"BACKEND": "web.cache.Cache", **_cache},
    "sessions": {"BACKEND": "web.cache.SessionCache", **_cache},
}
SESSION_CACHE_ALIAS = "sessions"


def _celery_broker(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url.replace("valkey://", "redis://", 1)
    number = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?virtual_host={number}"


CELERY_BROKER_URL = _celery_broker(REDIS_URL)

EVENTS_URL = env.url(
    "EVENTS_URL", "http://default@127.0.0.1:8123/default", schemes=("http", "https")
)
EVENTS_QUERY_SECONDS = env.integer("EVENTS_QUERY_SECONDS", 30, minimum=1)
EVENTS_QUERY_BYTES = env.integer("EVENTS_QUERY_BYTES", 4 * 1024**3, minimum=64 * 1024**2)
# Who puts small inserts together: the embedded engine's door, a ClickHouse server, or nobody.
EVENTS_GATHER = env.text("EVENTS_GATHER", "off")
if EVENTS_GATHER not in ("door", "server", "off"):
    raise ImproperlyConfigured(f"EVENTS_GATHER={EVENTS_GATHER}: must be door, server or off.")
EVENTS_RETENTION_DAYS = env.integer("EVENTS_RETENTION_DAYS", 0)
EVENTS_MIN_FREE_BYTES = env.integer("EVENTS_MIN_FREE_BYTES", 512 * 1024**2)

# Limits of the intake, each named in the error it causes.
INGEST_MAX_BODY_BYTES = env.integer("INGEST_MAX_BODY_BYTES", 16 * 1024**2, minimum=1024)
INGEST_MAX_UNPACKED_BYTES = env.integer("INGEST_MAX_UNPACKED_BYTES", 64 * 1024**2, minimum=1024)
INGEST_MAX_ATTRIBUTES = env.integer("INGEST_MAX_ATTRIBUTES", 2000, minimum=1)
INGEST_MAX_VALUE_BYTES = env.integer("INGEST_MAX_VALUE_BYTES", 64 * 1024, minimum=16)
INGEST_MAX_EVENTS_PER_MINUTE = env.integer("INGEST_MAX_EVENTS_PER_MINUTE", 0)
INGEST_MAX_FIELDS = env.integer("INGEST_MAX_FIELDS", 5000, minimum=1)
INGEST_MAX_AGE_DAYS = env.integer("INGEST_MAX_AGE_DAYS", 30, minimum=1)
INGEST_MAX_AHEAD_MINUTES = env.integer("INGEST_MAX_AHEAD_MINUTES", 60, minimum=1)
# What is in the intake's hands at once, in each process.
INGEST_MAX_DECODING = env.integer("INGEST_MAX_DECODING", 8, minimum=1)
INGEST_MAX_BYTES_AT_ONCE = env.integer("INGEST_MAX_BYTES_AT_ONCE", 128 * 1024**2, minimum=1024**2)
# Django must not cut a body short of our own limit, whose error is clearer.
DATA_UPLOAD_MAX_MEMORY_SIZE = INGEST_MAX_BODY_BYTES + 1024

AUTH_USER_MODEL = "projects.User"
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
CSRF_FAILURE_VIEW = "web.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 30 if BEHIND_TLS else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_FOLDER / "static"
# Served straight from the source folders; a deployment that runs collectstatic gets hashed names.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600 if not DEBUG else 0

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "WARNING")},
    "loggers": {
        "flipscope": {
            "handlers": ["stderr"],
            "level": env.text("LOG_LEVEL", "INFO"),
            "propagate": False,
        }
    },
}
