"""System checks: an unsafe installation is told so before it starts."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from placet.env import LOOPBACK_NAMES, SOCKET_PATH_BYTES, Environment


def check_installation(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What is wrong with this installation's environment."""
    environment: Environment = settings.ENV
    return [
        *_exposed_without_tls(environment),
        *_https_behind_no_proxy(environment),
        *_any_host(environment),
        *_readable_keys(environment.data_dir / "keys"),
        *_socket_path(settings.MCPBRIDGE_STDIO_SOCKET),
    ]


def _exposed_without_tls(environment: Environment) -> list[CheckMessage]:
    host = urlsplit(environment.public_url).hostname or ""
    if environment.https or host in {*LOOPBACK_NAMES, "::1"}:
        return []
    return [
        Caution(
            f"PLACET_PUBLIC_URL is {environment.public_url}: passwords and tokens travel in clear.",
            hint="Put a proxy with TLS in front (see compose.yaml) and use its https:// address.",
            id="placet.W001",
        )
    ]


def _https_behind_no_proxy(environment: Environment) -> list[CheckMessage]:
    if not environment.https or environment.trusted_proxy_count:
        return []
    return [
        Caution(
            "PLACET_PUBLIC_URL is https, but PLACET_TRUSTED_PROXY_COUNT is 0: "
            "sign-in limits would count every visitor as the proxy.",
            hint="Set PLACET_TRUSTED_PROXY_COUNT to the number of proxies in front of Placet.",
            id="placet.W002",
        )
    ]


def _any_host(environment: Environment) -> list[CheckMessage]:
    if "*" not in environment.allowed_hosts:
        return []
    return [
        Error(
            "PLACET_ALLOWED_HOSTS contains *, which lets any name reach Placet (DNS rebinding).",
            hint="List the names that people and agents use, separated by commas.",
            id="placet.E001",
        )
    ]


def _readable_keys(folder: Path) -> list[CheckMessage]:
    files = sorted(folder.glob("*.key")) if folder.is_dir() else []
    return [
        Error(
            f"{path} can be read by others (mode {stat.S_IMODE(path.stat().st_mode):04o}).",
            hint=f"chmod 600 {path}; if others may have read it, replace the key.",
            id="placet.E002",
        )
        for path in files
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def _socket_path(path: str) -> list[CheckMessage]:
    if len(path.encode()) <= SOCKET_PATH_BYTES:
        return []
    return [
        Error(
            f"The socket path {path} is longer than {SOCKET_PATH_BYTES} bytes.",
            hint="Set PLACET_RUN_DIR to a short absolute path.",
            id="placet.E003",
        )
    ]
