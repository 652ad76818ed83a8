"""HTTP clients of the tests, whose servers speak plain HTTP on this machine.

They share one TLS context that trusts nobody: reading the machine's certificates for each client
took a twentieth of a second.
"""

import ssl
from typing import Any, Final

import httpx2

TRUSTS_NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(**options: Any) -> httpx2.AsyncClient:
    """A client for `http://` addresses."""
    return httpx2.AsyncClient(verify=TRUSTS_NOBODY, **options)
