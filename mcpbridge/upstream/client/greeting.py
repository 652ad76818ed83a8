"""Opening a link to the stdio host: connect, say which server is wanted, read the welcome."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from dataclasses import dataclass
from typing import Any

from mcpbridge.upstream import link
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.negotiation import Agreement
from mcpbridge.upstream.replies import load
from mcpbridge.upstream.spec import UpstreamSpec, config_digest

START_SECONDS = 45.0


@dataclass(frozen=True)
class Greeting:
    """An open link and what the host said about the server behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    agreement: Agreement
    number: int
    sandbox: str


async def greet(spec: UpstreamSpec, scope: str, *, socket_path: str, secret: bytes) -> Greeting:
    """Link to the server, which the host starts if need be. Raises UpstreamUnavailable."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(spec.timeouts.connect):
            reader, writer = await asyncio.open_unix_connection(link.check_socket_path(socket_path))
        peer = link.peer_uid(writer.get_extra_info("socket"))
        if peer is not None and peer not in (0, os.geteuid()):
            raise UpstreamUnavailable("the stdio host's socket belongs to another user")
        async with asyncio.timeout(START_SECONDS):
            nonce = secrets.token_hex(16)
            line = link.hello(
                upstream=spec.id,
                scope=scope,
                digest=config_digest(spec),
                secret=secret,
                nonce=nonce,
            )
            writer.write(line + b"\n")
            welcome = _read_welcome(await reader.readline())
            if not hmac.compare_digest(welcome["proof"], link.proof(secret, "host", nonce)):
                raise UpstreamUnavailable("another program answers in place of the stdio host")
        return Greeting(
            reader=reader,
            writer=writer,
            agreement=Agreement(
                era=welcome["era"],
                version=welcome["protocolVersion"],
                server_info=welcome["serverInfo"],
                capabilities=welcome["capabilities"],
            ),
            number=welcome["link"],
            sandbox=welcome["sandbox"],
        )
    except link.UnusableSocketPath as error:
        raise UpstreamUnavailable(str(error)) from error
    except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
        _hang_up(writer)
        raise UpstreamUnavailable(
            f"the stdio host cannot be reached: {type(error).__name__}"
        ) from error
    except BaseException:
        _hang_up(writer)
        raise


def _hang_up(writer: asyncio.StreamWriter | None) -> None:
    if writer is not None:
        writer.close()


def _read_welcome(line: bytes) -> dict[str, Any]:
    body = load(line) if line else {}
    kind = body.get(link.KEY) if isinstance(body, dict) else None
    if kind == "refused":
        raise UpstreamUnavailable(
            str(body["detail"])[:300], retry_after=float(body.get("retryAfter", 0.0))
        )
    if kind != "welcome":
        raise UpstreamUnavailable("the stdio host did not answer the greeting")
    return dict(body)
