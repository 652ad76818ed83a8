"""The bridge's settings, typed. Read at each use, so that tests may override them.

Knows Django's settings object and nothing else of the house.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

DATABASE_THREADS: Final = 4
CATALOG_SECONDS: Final = 60.0
EXECUTIONS: Final = 32
SWEEP_SECONDS: Final = 1.0
RETENTION_DAYS: Final = 30


def database_threads() -> int:
    """How many threads, each with a database connection, serve this process's asyncio code."""
    return int(getattr(settings, "MCPBRIDGE_DATABASE_THREADS", DATABASE_THREADS))


def catalog_seconds() -> float:
    """How long a tool list that was read is believed; after that it is read again first."""
    return float(getattr(settings, "MCPBRIDGE_CATALOG_SECONDS", CATALOG_SECONDS))


def executions() -> int:
    """How many tickets one worker process executes at the same time."""
    return int(getattr(settings, "MCPBRIDGE_EXECUTIONS", EXECUTIONS))


def sweep_seconds() -> float:
    """The time between two looks of a worker at the rows."""
    return float(getattr(settings, "APPROVALS_SWEEP_SECONDS", SWEEP_SECONDS))


def sealing_keys() -> dict[str, bytes]:
    """The installation's sealing keys by name; the first one is current."""
    return dict(settings.APPROVALS_SEALING_KEYS)


def kept() -> timedelta:
    """How long the outcome of a call is kept after its end."""
    return timedelta(days=float(getattr(settings, "APPROVALS_RETENTION_DAYS", RETENTION_DAYS)))


def stdio_socket() -> str:
    """The path of the socket behind which the stdio host listens."""
    return str(settings.MCPBRIDGE_STDIO_SOCKET)


def stdio_secret() -> bytes:
    """What this installation's programs and its stdio host know each other by."""
    return bytes(settings.MCPBRIDGE_STDIO_SECRET)


def data_dir() -> Path:
    """The installation's data folder, which no upstream may see."""
    return Path(settings.MCPBRIDGE_DATA_DIR)


def public_url() -> str:
    """The address under which agents and people reach this installation, without a final slash."""
    return str(settings.PLACET_PUBLIC_URL).rstrip("/")


def max_body_bytes() -> int:
    """The largest request body that an agent may send."""
    return int(settings.MCPBRIDGE_MAX_BODY_BYTES)


def allowed_origins() -> tuple[str, ...]:
    """The origins whose pages may speak to the agents' face."""
    return tuple(settings.MCPBRIDGE_ALLOWED_ORIGINS)


def allowed_hosts() -> tuple[str, ...]:
    """The host names under which the agents' face answers."""
    return tuple(settings.MCPBRIDGE_ALLOWED_HOSTS)
