"""Django's settings of the rows and of the mail, from what the environment says of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from placet.env import MAIL_TO_CONSOLE, Database


def database_settings(database: Database) -> dict[str, Any]:
    """An entry of `DATABASES`."""
    if database.engine == "sqlite3":
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
        return {
            "ENGINE": "placet.engines.sqlite3",
            "NAME": database.name,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,  # seconds a writer waits for its turn
                "init_command": pragmas,
            },
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": database.port,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **dict(database.options)},
    }


def mailer_settings(url: str) -> dict[str, Any]:
    """An entry of `MAILERS`; an empty address sends nothing, `console:` prints."""
    backend = "django.core.mail.backends.{}.EmailBackend"
    if not url:
        return {"BACKEND": backend.format("dummy")}
    if url == MAIL_TO_CONSOLE:
        return {"BACKEND": backend.format("console")}
    smtp = urlsplit(url)
    return {
        "BACKEND": backend.format("smtp"),
        "OPTIONS": {
            "host": smtp.hostname,
            "port": smtp.port or (465 if smtp.scheme == "smtps" else 587),
            "username": unquote(smtp.username or ""),
            "password": unquote(smtp.password or ""),
            "use_ssl": smtp.scheme == "smtps",
            "use_tls": smtp.scheme == "smtp" and bool(smtp.username),
            "timeout": 10,
        },
    }
