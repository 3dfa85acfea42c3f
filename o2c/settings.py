"""Settings of the project. Every environment variable read here is documented in docs/settings.md.

Two profiles: `local` (the default: a laptop, the demonstration, tests) finds an embedded database and
broker by itself; `production` has no default for anything that matters and refuses to start without.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONCE, NONE, SELF

from o2c.api.drf_settings import IDEMPOTENCY_DAYS, REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401
from o2c.console.theme import UNFOLD  # noqa: F401
from o2c.runtime import embedded, home, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

PROFILE = env.str("O2C_PROFILE", default="local")
if PROFILE not in {"local", "production"}:
    raise environ.ImproperlyConfigured(f"O2C_PROFILE is {PROFILE!r}; it must be 'local' or 'production'")
PRODUCTION = PROFILE == "production"
DEBUG = env.bool("O2C_DEBUG", default=False)

# --- Identity of the installation -----------------------------------------------------------------

SECRET_KEY = env.str("SECRET_KEY", default=environ.Env.NOTSET if PRODUCTION else home.secret_key())
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=environ.Env.NOTSET if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"],
)
# Keys of encrypted columns (o2c/vault.py): "id:base64,…"; the first seals, the others only open.
FIELD_KEYS = env.str("O2C_FIELD_KEYS", default=environ.Env.NOTSET if PRODUCTION else home.field_keys())
CSRF_FAILURE_VIEW = "o2c.console.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
APPROVALS_WEBHOOK_URL = env.str("O2C_APPROVALS_WEBHOOK_URL", default="")
PUBLIC_URL = env.str("O2C_PUBLIC_URL", default=environ.Env.NOTSET if PRODUCTION else "http://localhost:8000")

# --- Applications ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # the site is o2c.console's
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "o2c.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "simple_history",
    "django_fsm",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "django_structlog",
    "django_prometheus",
    # The kernel first: its history and guards must exist before the tables that they guard.
    "o2c.runtime",
    "o2c.access",
    "o2c.audit",
    "o2c.ledger",
    "o2c.numbering",
    "o2c.outbox",
    "o2c.documents",
    "o2c.invariants",
    "o2c.api",
    "o2c.console",
    "o2c.controls.sod",
    "o2c.controls.approvals",
    "o2c.controls.selftest",
    "o2c.controls.breakglass",
    "orders",
    "billing",
    "revenue",
    "partners",
    "o2c.demo",
    "o2c.scenarios",
]
AUTH_USER_MODEL = "access.User"

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "o2c.console.middleware.ConsolePolicy",
    "o2c.api.middleware.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Before the log middleware: it decides the request id.
    "o2c.access.middleware.ActorMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "o2c.urls"
WSGI_APPLICATION = "o2c.wsgi.application"
ASGI_APPLICATION = "o2c.asgi.application"

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
            ],
        },
    },
]

# --- Database: three roles, of which this process uses one ----------------------------------------

DB_ROLE = env.str("O2C_DB_ROLE", default="app")
if DB_ROLE not in {"app", "owner", "auditor"}:
    raise environ.ImproperlyConfigured(f"O2C_DB_ROLE is {DB_ROLE!r}; it must be app, owner or auditor")
DB_POOL_SIZE = env.int("O2C_DB_POOL_SIZE", default=0)


def _database_url() -> str:
    """DATABASE_URL is the app's; DATABASE_OWNER_URL and DATABASE_AUDITOR_URL are the other roles'."""
    if PRODUCTION or not embedded.used():
        return env.str("DATABASE_URL" if DB_ROLE == "app" else f"DATABASE_{DB_ROLE.upper()}_URL")
    return embedded.url(DB_ROLE)


def _database() -> dict[str, Any]:
    database: dict[str, Any] = dict(environ.Env.db_url_config(_database_url()))
    database["NAME"] = env.str("O2C_DATABASE", default=database["NAME"])
    options: dict[str, Any] = {**database.get("OPTIONS", {}), "connect_timeout": 10}
    options["application_name"] = env.str("O2C_SERVICE", default="o2c")
    if DB_POOL_SIZE:
        options["pool"] = {"min_size": 1, "max_size": DB_POOL_SIZE, "timeout": 15}
    return database | {
        "ENGINE": "o2c.postgres",
        "OPTIONS": options,
        # A pool keeps connections by itself; without one a process keeps its own for a minute.
        "CONN_MAX_AGE": 0 if DB_POOL_SIZE else 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": env.bool("O2C_DB_TRANSACTION_POOLER", default=False),
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Time and language ----------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- Sign-in --------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "o2c.access.backends.DutyBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/admin/"
SESSION_COOKIE_AGE = env.int("O2C_SESSION_SECONDS", default=10 * 3600)
SESSION_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = "Lax"
AXES_ENABLE_ADMIN = False  # their pages would be open to a superuser, and change rows
AXES_FAILURE_LIMIT = env.int("O2C_LOGIN_ATTEMPTS", default=8)
AXES_COOLOFF_TIME = dt.timedelta(minutes=15)
AXES_LOCKOUT_CALLABLE = "o2c.console.errors.locked_out"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_IPWARE_PROXY_COUNT = env.int("O2C_PROXY_COUNT", default=0)
AXES_CLIENT_IP_CALLABLE = "o2c.access.client.address"
AXES_LOCKOUT_CALLABLE = "o2c.console.errors.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # access.SignIn is the log

# --- Transport security ---------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("O2C_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)$"]
    SECURE_HSTS_SECONDS = env.int("O2C_HSTS_SECONDS", default=365 * 24 * 3600)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if AXES_IPWARE_PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        # Unfold and Chart.js set style attributes.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- Files ----------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = env.str("O2C_STATIC_ROOT", default=str(BASE_DIR / "staticfiles") if PRODUCTION else None)
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
# A laptop serves straight from the packages; production serves hashed files that collectstatic made.
WHITENOISE_USE_FINDERS = not PRODUCTION
MEDIA_ROOT = Path(env.str("O2C_MEDIA_ROOT", default=str(home.home() / "media")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- E-mail ---------------------------------------------------------------------------------------

EMAIL_URL = env.str("EMAIL_URL", default=environ.Env.NOTSET if PRODUCTION else "")
if EMAIL_URL:
    globals().update(environ.Env.email_url_config(EMAIL_URL))
else:
    # Every message as a file, to be opened and read.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(home.home() / "mail")
DEFAULT_FROM_EMAIL = env.str("O2C_FROM_EMAIL", default="billing@example.com")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- API ------------------------------------------------------------------------------------------

API_CALLS_PER_MINUTE = env.int("O2C_API_CALLS_PER_MINUTE", default=12_000)  # per token
API_BODY_LIMIT_BYTES = env.int("O2C_API_BODY_LIMIT_BYTES", default=10_000_000)

# --- Provisioning: the internal service that grants what a customer bought ------------------------

PROVISIONING_URL = env.str("PROVISIONING_URL", default="")  # empty: entitlements wait
PROVISIONING_TOKEN = env.str("PROVISIONING_TOKEN", default="")
PROVISIONING_TIMEOUT_SECONDS = env.int("PROVISIONING_TIMEOUT_SECONDS", default=5)
AWS_ENDPOINT_URL = env.str("O2C_AWS_ENDPOINT_URL", default="")  # empty: stand-in, in production AWS
AWS_MARKETPLACE_REGION = env.str("O2C_AWS_REGION", default="us-east-1")

# --- Tasks ----------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=environ.Env.NOTSET if PRODUCTION else "pgq://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if CELERY_BROKER_URL.startswith(("redis", "sentinel")):
    # Redis gives a message to another worker after this time, whether or not the first still works on it.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 2 * env.int("O2C_TASK_LONGEST_SECONDS", default=1800),
        "unacked_restore_throttle": 1,
        # Who gives messages back holds a lock; it ends by itself when that worker was killed meanwhile.
        "unacked_mutex_expire": 30,
    }
elif CELERY_BROKER_URL.startswith("pgq"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"lease_seconds": env.int("O2C_BROKER_LEASE_SECONDS", default=60)}
CELERY_TASK_DEFAULT_QUEUE = "o2c"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True  # what a task did is in our tables
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE: dict[str, Any] = {}
CELERY_BEAT_SCHEDULER = "o2c.runtime.signals_of_life:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 15
CELERY_WORKER_PREFETCH_MULTIPLIER = 2
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not CELERY_BROKER_URL.startswith("pgq")

# --- Anchors of the sealed history: outside the database ------------------------------------------

ANCHOR_KEY_FILE = env.str(
    "O2C_ANCHOR_KEY_FILE", default="" if PRODUCTION else str(home.home() / "anchor-key.pem")
)
ANCHOR_PLACES = env.list(
    "O2C_ANCHOR_PLACES",
    default=[]
    if PRODUCTION
    else [str(home.home() / "anchors" / DATABASES["default"]["NAME"] / place) for place in ("one", "two")],
)

# --- Figures for machines -------------------------------------------------------------------------

METRICS_TOKEN = env.str("O2C_METRICS_TOKEN", default="")
PROMETHEUS_EXPORT_MIGRATIONS = False

# --- Logs -----------------------------------------------------------------------------------------

LOG_LEVEL = env.str("O2C_LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("O2C_LOG_FORMAT", default="json" if PRODUCTION else "text")
LOGGING = logs.configure(LOG_LEVEL, LOG_FORMAT)
DJANGO_STRUCTLOG_CELERY_ENABLED = False  # o2c.runtime.tasking binds the task's id
