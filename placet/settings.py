"""Django's settings, derived from the typed environment and from nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from django.utils.csp import CSP

from placet.connections import database_settings, mailer_settings
from placet.env import EnvironmentRefused, read_environment
from placet.logs import logging_config
from placet.origins import passkey_origin

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    ENV = read_environment(os.environ, root=BASE_DIR)
except EnvironmentRefused as refusal:
    raise SystemExit(str(refusal)) from None

DEBUG = False
SECRET_KEY = ENV.keys.secret
ALLOWED_HOSTS = list(ENV.allowed_hosts)
ROOT_URLCONF = "placet.urls"
ASGI_APPLICATION = "placet.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_NAME = "Placet"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "channels",
    "django_htmx",
    "approvals",
    "mcpbridge",
    "placet",
]

# servestatic, unlike whitenoise, does not turn the request cycle synchronous.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "approvals.web.unkept.UnkeptMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "approvals.web.locality.LocalityMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["django.templatetags.i18n"],
        },
    },
]

# ---- Rows -------------------------------------------------------------------------------------
# No ATOMIC_REQUESTS: on SQLite every GET would take the write lock.

DATABASES = {"default": database_settings(ENV.database)}

# ---- Doorbells --------------------------------------------------------------------------------
# The pubsub layer resubscribes after a broker restart. redis-py's socket timeout would kill idle
# subscriptions, and its default pool is smaller than the number of people one process can hold.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": ENV.redis_url, "socket_timeout": None, "max_connections": 5000}],
            "prefix": "placet",
        },
    },
}

# Limits of sign-in attempts count over all web processes.
CACHES = {
    "default": {
        "BACKEND": "placet.caching.SharedCache",
        "LOCATION": ENV.redis_url,
        "KEY_PREFIX": "placet",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

_CELERY_REDIS = ENV.redis_url.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_URL = _CELERY_REDIS
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "placet"
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
# A task is a hint to look at rows; losing one is cheap and running one twice is harmless, hence
# early acknowledgement. No eta or countdown anywhere: kombu repeats those after a timeout.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = ENV.worker_threads
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
}
# With the broker away a publisher gives up in milliseconds; the workers poll the rows anyway.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0}

# The workers keep house by themselves; beat only makes sure that a quiet one is reminded.
CELERY_BEAT_SCHEDULE = {
    "purge payloads whose retention is over": {
        "task": "approvals.tasks.purge",
        "schedule": 3600.0,
    },
    "forget sessions that have ended": {
        "task": "placet.tasks.forget_ended_sessions",
        "schedule": 6 * 3600.0,
    },
}

# ---- People -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "approvals.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "placet.accounts.ClosedAccountAdapter"
ACCOUNT_FORMS = {
    "change_password": "placet.account_forms.OurChangePasswordForm",
    "reset_password": "placet.account_forms.OurResetPasswordForm",
    "reset_password_from_key": "placet.account_forms.OurResetPasswordKeyForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by an admin, never by self sign-up
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_PREVENT_ENUMERATION = True
ALLAUTH_TRUSTED_PROXY_COUNT = ENV.trusted_proxy_count
MFA_ADAPTER = "placet.second_factors.SealedSecondFactors"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # steps of 30 s, for clocks that are a little off
MFA_FORMS = {
    "add_webauthn": "placet.second_factors.AddPasskeyForm",
    "authenticate_webauthn": "placet.second_factors.AuthenticatePasskeyForm",
    "login_webauthn": "placet.second_factors.LoginPasskeyForm",
    "reauthenticate_webauthn": "placet.second_factors.ReauthenticatePasskeyForm",
}
PLACET_SECOND_FACTOR_KEY = ENV.keys.derive("second-factors")

# ---- The browser ------------------------------------------------------------------------------
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if ENV.https else 0
SESSION_COOKIE_NAME = "__Host-placet" if ENV.https else "placet"
SESSION_COOKIE_SECURE = ENV.https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "__Host-placet-csrf" if ENV.https else "placet-csrf"
CSRF_COOKIE_SECURE = ENV.https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = list(ENV.origins)
if ENV.trusted_proxy_count:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = ENV.max_body_bytes
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
FILE_UPLOAD_MAX_MEMORY_SIZE = ENV.max_body_bytes

STATIC_URL = "/static/"
STATIC_ROOT = ENV.data_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = True  # no collectstatic step: the tree itself is served
SERVESTATIC_AUTOREFRESH = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "placet" / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# ---- Mail -------------------------------------------------------------------------------------
MAILERS = {"default": mailer_settings(ENV.smtp_url)}
DEFAULT_FROM_EMAIL = ENV.mail_from

LOGGING = logging_config(level=ENV.log_level)

# ---- What the ledger and the bridge are told ---------------------------------------------------
PLACET_PUBLIC_URL = ENV.public_url
APPROVALS_SEALING_KEYS = {ENV.keys.sealing_id: ENV.keys.sealing}
APPROVALS_CHECKPOINT_KEY = ENV.keys.checkpoint
APPROVALS_REPEAT_KEY = ENV.keys.derive("repeat")
APPROVALS_PORTS: dict[str, str | list[str]] = {
    "approved": "mcpbridge.dispatch.approved",
    "ended": "mcpbridge.dispatch.ended",
    "heartbeat": "placet.heartbeats.record",
    "owner_of_agent": "mcpbridge.dispatch.owner_of_agent",
    "attempts_allowed": "mcpbridge.dispatch.attempts_allowed",
    "calls_unasked": "mcpbridge.dispatch.calls_unasked",
    "read_json": "mcpbridge.calls.strict_json.parse",
    "checkpoint_sources": [
        "mcpbridge.dispatch.call_leaves",
        "mcpbridge.dispatch.completion_leaves",
    ],
}
APPROVALS_LEASE_SECONDS = ENV.timing.lease
APPROVALS_HOLDER_LEASE_SECONDS = ENV.timing.holder_lease
APPROVALS_HANDOVER_SECONDS = ENV.timing.handover
APPROVALS_DELIVERY_WINDOW_SECONDS = ENV.timing.delivery_window
APPROVALS_SWEEP_SECONDS = ENV.timing.sweep
APPROVALS_CHECKPOINT_SECONDS = ENV.timing.checkpoint
APPROVALS_CHECKPOINT_EXPORT_DIR = ENV.checkpoint_export_dir
APPROVALS_RETENTION_DAYS = ENV.retention_days
APPROVALS_ONE_PERSON = ENV.one_person
APPROVALS_PASSKEY_ORIGIN = passkey_origin(ENV.origins)
APPROVALS_TELL_PRIVATE = ENV.tell_private
MCPBRIDGE_ALLOWED_HOSTS = ENV.allowed_hosts
MCPBRIDGE_ALLOWED_ORIGINS = ENV.origins
MCPBRIDGE_MAX_BODY_BYTES = ENV.max_body_bytes
MCPBRIDGE_DATA_DIR = ENV.data_dir
MCPBRIDGE_STDIO_SOCKET = str(ENV.run_dir / "stdio.sock")
MCPBRIDGE_STDIO_SECRET = ENV.keys.derive("stdio-link")
MCPBRIDGE_DATABASE_THREADS = ENV.database_threads
