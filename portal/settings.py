"""All settings, read from the environment once. What each means: docs/configuration.md."""

from pathlib import Path
from typing import Any

from portal.env import database, embedded_secrets, env_bool, env_choice, env_int, env_list, env_str

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("ATRIUM_DATA_DIR", str(BASE_DIR / "var"))).resolve()

DEBUG = False
DEMO = env_bool("ATRIUM_DEMO")
SERVE = env_str("ATRIUM_SERVE", "all")  # all, portal, gateway: what this process answers
PORT = env_int("PORT", 8000)
BASE_URL = env_str("ATRIUM_BASE_URL", f"http://localhost:{PORT}").rstrip("/")
GATEWAY_URL = env_str("ATRIUM_GATEWAY_URL", BASE_URL).rstrip("/")

_kept = embedded_secrets(DATA_DIR, ("SECRET_KEY", "ATRIUM_PEPPER", "ATRIUM_KEK"))
SECRET_KEY = _kept["SECRET_KEY"]
KEY_PEPPER = _kept["ATRIUM_PEPPER"].encode()
KEY_PEPPER_ID = env_str("ATRIUM_PEPPER_ID", "p1")
KEY_ENCRYPTION_KEY = _kept["ATRIUM_KEK"].encode()

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", BASE_URL)
SECURE_TRANSPORT = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "portal.people",
    "catalog",
    "billing",
    "portal.keys",
    "gateway.control",
    "portal.home",
]

MIDDLEWARE = [
    "portal.logs.request_ids",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.home.context.navigation",
            ],
        },
    },
]

DATABASES = {"default": database(env_str("DATABASE_URL"), DATA_DIR)}
EMBEDDED_DATABASE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Identity
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = [
    "portal.people.identity.backend.ActivePersonBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
OIDC_ISSUER = env_str("OIDC_ISSUER")
OIDC_NAME = env_str("OIDC_NAME", "company sign-in")
OIDC_CLIENT_ID = env_str("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env_str("OIDC_CLIENT_SECRET")
OIDC_GROUPS_CLAIM = env_str("OIDC_GROUPS_CLAIM", "groups")
OIDC_SCOPES = env_list("OIDC_SCOPES", "openid,profile,email")
OIDC_TRUST_EMAIL = env_bool("OIDC_TRUST_EMAIL", True)  # may an invited person be claimed by a verified e-mail?
OIDC_GROUP_MAP = env_str(
    "OIDC_GROUP_MAP"
)  # "ai-admins=role:platform_admin, eng-search=team:search, eng-search-leads=lead:search"
LOCAL_LOGIN = env_bool("ATRIUM_LOCAL_LOGIN", not OIDC_ISSUER)
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "SCOPE": OIDC_SCOPES,
        "APPS": [
            {
                "provider_id": "company",
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_ISSUER.rstrip("/"), "oauth_pkce_enabled": True},
            }
        ]
        if OIDC_ISSUER
        else [],
    }
}
SOCIALACCOUNT_ADAPTER = "portal.people.identity.adapter.CompanySignIn"
ACCOUNT_ADAPTER = "portal.people.identity.adapter.LocalSignIn"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_AUTO_SIGNUP = True
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = False
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}

# Sessions, cookies, transport
SESSION_ENGINE = "portal.people.identity.sessions"
SESSION_COOKIE_NAME = "atrium_session"
SESSION_COOKIE_AGE = env_int("SESSION_HOURS", 12) * 3600
SESSION_COOKIE_SECURE = SECURE_TRANSPORT
CSRF_COOKIE_SECURE = SECURE_TRANSPORT
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.home.views.errors.csrf_failure"
TRUST_PROXY_HEADERS = env_bool("TRUST_PROXY_HEADERS")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY_HEADERS else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if TRUST_PROXY_HEADERS else 0
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_TRANSPORT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_TRANSPORT
SECURE_HSTS_PRELOAD = SECURE_TRANSPORT
SECURE_SSL_REDIRECT = SECURE_TRANSPORT and env_bool("SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What `check --deploy` asks of TLS is decided by ATRIUM_BASE_URL; a plain-http address is refused off loopback by portal.E003.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]  # e-mail is unique without regard to case, by the constraint user_email_unique
if not SECURE_TRANSPORT:
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W012", "security.W016"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"] + ([OIDC_ISSUER] if OIDC_ISSUER else []),
        "frame-ancestors": ["'none'"],
    }
}

# Language, time
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
BILLING_TIME_ZONE = env_str("BILLING_TIME_ZONE", "UTC")
# What stands above people and shows itself on a team's page.
TEAM_SECTIONS = ["portal.home.team_sections.models_section", "portal.home.team_sections.limits_section"]
MODEL_FACTS = {
    "health": "billing.health.health_of",
    "impact": "portal.keys.retirement.impact_of",
    "tell_owners": "portal.keys.retirement.tell_owners",
    "provider_health": "billing.health.provider_health",
    "limits": "billing.standing.limits_of",
    "redirected": "billing.redirected.redirected",
}  # told on a model's page
CATALOG_STANDING = "gateway.control.standing.standing_of"  # how the breakers of a provider stand
CATALOG_DRY_RUN = "gateway.control.dry_run.dry_run"  # where a call would go
BILLING_LABELS = {"key": "portal.keys.labels.key_labels"}  # kinds that stand above billing: who names them
BILLING_RATES = "gateway.control.peek.rates_left"  # who knows what is left of rates
BILLING_SEEN = {"key": "portal.keys.labels.keys_seen_by"}  # which of them somebody may see
BILLING_TEAMS = {"key": "portal.keys.labels.key_teams"}  # of which team they are

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Key policy
KEY_DEFAULT_DAYS = env_int("KEY_DEFAULT_DAYS", 90)
KEY_MAX_DAYS = env_int("KEY_MAX_DAYS", 365)
KEY_ROTATE_DAYS = env_int("KEY_ROTATE_DAYS", 90)
KEY_OVERLAP_HOURS = env_int("KEY_OVERLAP_HOURS", 72)
EXCEPTION_MAX_DAYS = env_int("EXCEPTION_MAX_DAYS", 90)
EXCEPTION_LEAD_MAX_USD = env_str("EXCEPTION_LEAD_MAX_USD", "500")
REAUTHENTICATE_AFTER_S = env_int("REAUTHENTICATE_AFTER_S", 300)
ORGANISATION_ID = "org"
ORGANISATION_NAME = env_str("ATRIUM_COMPANY", "Your company")

# Data plane
GATEWAY_PROCESSES = env_int("GATEWAY_PROCESSES", 1)  # of `manage.py gateway`
MAX_CONNECTIONS = env_int("MAX_CONNECTIONS", 8_000)
MAX_PROVIDER_CONNECTIONS = env_int("MAX_PROVIDER_CONNECTIONS", 1_000)
MAX_CALLS = env_int("MAX_CALLS", 4_000)
JOURNAL = env_str("JOURNAL", "file")
JOURNAL_DIR = Path(env_str("JOURNAL_DIR", str(DATA_DIR / "journal")))
JOURNAL_FSYNC = env_bool("JOURNAL_FSYNC")
JOURNAL_MAX_MB = env_int("JOURNAL_MAX_MB", 4096)
DEMO_ENGINE_PORT = env_int("DEMO_ENGINE_PORT", 0)  # 0: any free port
DEMO_ENGINE_URL = ""  # `manage.py serve` fills it in when it has started the engine
FEED_POLL_MS = env_int("FEED_POLL_MS", 200)
STALE_MAX_S = env_int("STALE_MAX_S", 120)
PROVIDERS_KEEP = env_choice("PROVIDERS_KEEP", ("usual", "asked", "never"))

# Watching it
METRICS_TOKEN = env_str("METRICS_TOKEN")
METRICS_DIR = Path(env_str("METRICS_DIR", str(DATA_DIR / "metrics")))

# Work in the background
REDIS_URL = env_str("REDIS_URL")
CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600} if REDIS_URL else {"polling_interval": 0.1}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.people.api.permission.HasDeclaredPermission"],
    "EXCEPTION_HANDLER": "portal.keys.api.errors.answer",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Atrium",
    "DESCRIPTION": "Keys, models and spend of a company's front door to LLMs.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "KeyKind": "portal.keys.models.Key.Kind",
        "RequestKind": "portal.keys.models.KeyRequest.Kind",
        "DataClass": "catalog.models.models.DATA_CLASSES",
    },
    "SERVE_PERMISSIONS": ["portal.people.api.permission.HasDeclaredPermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if env_str("EMAIL_HOST")
    else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST = env_str("EMAIL_HOST", "localhost")
EMAIL_PORT = env_int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env_str("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env_str("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("EMAIL_FROM", "atrium@localhost")

LOG_LEVEL = env_str("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"},
        "plain": {"format": "%(message)s"},
    },
    "filters": {"defects": {"()": "portal.logs.TracebackOfDefects"}, "request": {"()": "portal.logs.WithRequestId"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["defects", "request"]},
        "calls": {"class": "logging.StreamHandler", "formatter": "plain"},
    },
    # What others write at DEBUG may hold secrets: LOG_LEVEL lowers our own loggers alone.
    "root": {"handlers": ["console"], "level": LOG_LEVEL if LOG_LEVEL != "DEBUG" else "INFO"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("portal", "catalog", "billing", "gateway", "atrium")},
        "atrium.calls": {"handlers": ["calls"], "propagate": False},  # each line is JSON and nothing else
        "httpx": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "ERROR"},
        "psycopg.pool": {"level": "ERROR"},
    },
}
