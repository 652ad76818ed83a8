"""The line protocol between a process that wants a stdio server and the host that owns it.

Newline-delimited JSON over a Unix socket that only this user can open. First a hello and its
welcome (or refusal), then JSON-RPC in both directions, byte for byte as the child reads and
writes it. No id needs rewriting: the host gives every link a number, and a link's request ids
(which are its progress tokens, too) carry that number in their upper bits. Lines with a `placet`
key are between the two of us; a child's lines with that key are never passed on.
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
from typing import Any

from mcpbridge.upstream.envelope import dump

LINK_VERSION = 2
KEY = "placet"
QUESTION = "question"
MAX_SOCKET_PATH = 107
ENVELOPE_BYTES = 64 * 1024
_SHIFT = 32
MAX_LINK = 1 << 20
"""Links are numbered below this, so that every id stays an exact integer in any JSON reader."""


class UnusableSocketPath(ValueError):
    """The Unix socket's path cannot be used."""


def check_socket_path(path: str) -> str:
    """Return the path if a Unix socket can live there. Raises UnusableSocketPath."""
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_PATH:
        raise UnusableSocketPath(
            f"the socket path {path!r} is {size} bytes long, the system allows {MAX_SOCKET_PATH}: "
            "choose a data folder with a shorter path"
        )
    return path


def first_id(link: int) -> int:
    """Return the id before a link's first request id."""
    return link << _SHIFT


def link_of(request_id: object) -> int | None:
    """Return the link that an id belongs to; None for anything that is not such an id."""
    if type(request_id) is not int or request_id < 0:
        return None
    return request_id >> _SHIFT


def peer_uid(connection: Any) -> int | None:
    """Return the user id at the other end of a Unix socket; None where the system hides it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    layout = struct.Struct("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, option, layout.size)
    uid: int = layout.unpack(raw)[1]
    return uid


def proof(secret: bytes, role: str, *parts: str) -> str:
    """Return what only a program of this installation can say, as `client` or as `host`.

    A server that runs under Placet's own account may reach the socket; it does not know `secret`.
    """
    text = dump(["placet:stdio-link", LINK_VERSION, role, *parts])
    return hmac.digest(secret, text, "sha256").hex()


def hello(*, upstream: str, scope: str, digest: bytes, secret: bytes, nonce: str) -> bytes:
    """Return the first line of a client."""
    return dump(
        {
            KEY: "hello",
            "version": LINK_VERSION,
            "upstream": upstream,
            "scope": scope,
            "digest": digest.hex(),
            "nonce": nonce,
            "proof": proof(secret, "client", upstream, scope, digest.hex(), nonce),
        }
    )


def verdict(
    *, request_id: int, sent: bool, reason: str, detail: str = "", ended: bool = False
) -> bytes:
    """Return the host's word on a request that will get no answer; `ended`: nor will others."""
    return dump(
        {
            KEY: "verdict",
            "id": request_id,
            "sent": sent,
            "reason": reason,
            "detail": detail,
            "ended": ended,
        }
    )


def question(*, call: int, message: dict[str, Any]) -> bytes:
    """Return a request of the server that belongs to the client's call with this id."""
    return dump({KEY: QUESTION, "call": call, "question": message})


def refused(*, detail: str, retry_after: float = 0.0) -> bytes:
    """Return the host's answer to a hello that it cannot serve."""
    return dump({KEY: "refused", "detail": detail, "retryAfter": retry_after})
