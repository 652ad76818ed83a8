"""One POST to an address that somebody typed in: checked, pinned, bounded, without redirects.

The name is resolved and every address checked, the socket is opened for a checked address only,
no proxy of the environment is used, and of the answer nothing but its status is believed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from approvals.carriers.errors import CarrierError, Gone, Refused
from approvals.domain.wording import say
from approvals.outbound.addresses import AddressRefused, check_address
from approvals.outbound.sockets import CheckedResolver, checked_socket_factory

TOTAL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
MAX_URL: Final = 2048
GONE: Final = frozenset({404, 410})
REFUSED: Final = frozenset({400, 401, 403, 405, 406, 411, 413, 414, 415, 422, 431})


def require_url(url: str, *, allow_private: bool) -> None:
    """Raise Refused, saying what would be right, unless messages may be posted to `url`.

    Plain HTTP is for private addresses alone: whatever else is on the way could read along.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused(say("the address is not a URL")) from None
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(
            say("the address must be a URL of at most {detail} plain characters", detail=MAX_URL)
        )
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        raise Refused(say("the address must begin with https:// and name a host"))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused(say("the address must hold neither a user, a password nor a fragment"))
    if parts.scheme == "http" and not allow_private:
        raise Refused(say("the address must begin with https://"))
    if host.replace(".", "").isdigit() or ":" in host:
        try:
            check_address(host, allow_private=allow_private)
        except AddressRefused as refused:
            raise Refused(str(refused)) from None


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    trust: ssl.SSLContext | None = None,
) -> int:
    """Post `body` and return the status, which is 2xx; raises CarrierError.

    `trust` replaces the certificates that are believed. Blocks for at most ten seconds.
    """
    require_url(url, allow_private=allow_private)
    status = asyncio.run(_post(url, body, headers, allow_private=allow_private, trust=trust))
    if 200 <= status < 300:
        return status
    if status in GONE:
        raise Gone(say("the receiver says that the address is gone"), f"status {status}")
    if 300 <= status < 400:
        raise Refused(say("the receiver redirects, which is not followed"), f"status {status}")
    if status in REFUSED:
        raise Refused(say("the receiver refuses the message"), f"status {status}")
    raise CarrierError(say("the receiver cannot take the message now"), f"status {status}")


async def _post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool,
    trust: ssl.SSLContext | None,
) -> int:
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(allow_private=allow_private),
        socket_factory=checked_socket_factory(allow_private=allow_private),
        use_dns_cache=False,
        force_close=True,
        ssl=trust if trust is not None else True,
    )
    timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=timeout,
                trust_env=False,
                headers={"User-Agent": "placet", "Accept-Encoding": "identity"},
            ) as http,
            http.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status
    except AddressRefused as refused:
        raise Refused(str(refused)) from None
    except TimeoutError:
        raise CarrierError(say("the receiver did not answer in time")) from None
    except aiohttp.ClientConnectorError as problem:
        cause = problem.os_error
        if isinstance(cause, AddressRefused):
            raise Refused(str(cause)) from None
        if isinstance(cause, socket.gaierror):
            raise CarrierError(say("nobody knows the receiver's name")) from None
        raise CarrierError(say("no connection to the receiver"), type(cause).__name__) from None
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        raise CarrierError(say("talking to the receiver failed"), type(problem).__name__) from None
