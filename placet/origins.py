"""Which of the addresses that people use can have passkeys. Knows addresses only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


def passkey_origin(origins: Sequence[str]) -> str:
    """The one of `origins` at which passkeys work; empty where browsers allow them at none.

    Browsers bind a passkey to a name, never to an address, and want TLS but for `localhost`, which
    stands for loopback's address too.
    """
    for origin in origins:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        is_local = host == "localhost" or host.endswith(".localhost")
        if is_local or (parts.scheme == "https" and not _is_address(host)):
            return origin
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
