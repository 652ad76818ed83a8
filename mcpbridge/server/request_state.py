"""`requestState`: what we ask a client to hand back, sealed, bound, short-lived and used once.

AES-256-GCM under a key derived from the installation's sealing key. The cipher authenticates what
the state is for: purpose, agent, endpoint, method and the request's own name and arguments; so a
state that was changed, or is shown by another agent or with another request, does not open. Using
one up is a row with the state's id: of two processes that redeem the same one, only one commits.
Knows no method and no ticket.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcpbridge import conf, records
from mcpbridge.approvals_gateway import JSON, canonical_bytes

MAX_STATE: Final = 256 * 1024  # characters of a sealed state
_DOMAIN: Final = b"placet:request-state:1\0"
_FORMAT: Final = 1
_NONCE_BYTES: Final = 12

type Clock = Callable[[], datetime]


class StateRefused(Exception):
    """A `requestState` that is not honoured; `code` is for programs and tells nothing secret."""

    code = "request_state_invalid"


class StateForeign(StateRefused):
    """It was not made here for this request: changed, made up, or shown with something else."""

    def __init__(self) -> None:
        super().__init__(
            "requestState is not one that was made for this request; send the request without it"
        )


class StateExpired(StateRefused):
    """It came too late."""

    code = "request_state_expired"

    def __init__(self) -> None:
        super().__init__("requestState has expired; send the request without it")


class StateUsed(StateRefused):
    """It was handed back before."""

    code = "request_state_used"

    def __init__(self) -> None:
        super().__init__("requestState was used before; send the request without it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What a state is for. `purpose` keeps the states of different features apart."""

    purpose: str
    agent_id: UUID
    endpoint: str  # /mcp or /mcp/u/<upstream>
    method: str
    request_digest: bytes

    @classmethod
    def of(
        cls,
        *,
        purpose: str,
        agent_id: UUID,
        endpoint: str,
        method: str,
        name: str,
        arguments_bytes: bytes,
    ) -> Self:
        """The binding to one request: the name it asks for, with these canonical arguments."""
        spoken = name.encode()
        digest = hashlib.sha256(_DOMAIN + len(spoken).to_bytes(4) + spoken + arguments_bytes)
        return cls(
            purpose=purpose,
            agent_id=agent_id,
            endpoint=endpoint,
            method=method,
            request_digest=digest.digest(),
        )

    def authenticated(self) -> bytes:
        """The bytes that the cipher authenticates beside the state."""
        return _DOMAIN + canonical_bytes(
            {
                "purpose": self.purpose,
                "agent": str(self.agent_id),
                "endpoint": self.endpoint,
                "method": self.method,
                "request": self.request_digest.hex(),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedState:
    """A state that was made here for this request and has not expired. It is not used up yet."""

    id: UUID
    expires_at: datetime
    payload: dict[str, Any]


def seal_state(
    payload: Mapping[str, JSON],
    binding: Binding,
    *,
    ttl_seconds: float,
    clock: Clock = lambda: datetime.now(UTC),
) -> str:
    """The payload as opaque text that only `open_state` with the same binding reads."""
    key_id, key = next(iter(conf.sealing_keys().items()))
    expires_at = clock() + timedelta(seconds=ttl_seconds)
    plain = json.dumps(
        {"id": uuid4().hex, "expires": expires_at.timestamp(), "payload": dict(payload)},
        separators=(",", ":"),
        allow_nan=False,
    ).encode()
    nonce, name = os.urandom(_NONCE_BYTES), key_id.encode("ascii")
    sealed = AESGCM(_derived(key)).encrypt(nonce, plain, binding.authenticated())
    data = bytes([_FORMAT, len(name)]) + name + nonce + sealed
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def open_state(
    text: str, binding: Binding, *, clock: Clock = lambda: datetime.now(UTC)
) -> OpenedState:
    """What was sealed under the same binding. Raises StateForeign and StateExpired."""
    data = _decoded(text)
    named, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    key = conf.sealing_keys().get(named.decode("ascii", "replace"))
    if data[0] != _FORMAT or key is None or len(rest) <= _NONCE_BYTES:
        raise StateForeign
    try:
        plain = AESGCM(_derived(key)).decrypt(
            rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], binding.authenticated()
        )
    except InvalidTag:
        raise StateForeign from None
    found = json.loads(plain)
    expires_at = datetime.fromtimestamp(found["expires"], UTC)
    if expires_at <= clock():
        raise StateExpired
    return OpenedState(id=UUID(found["id"]), expires_at=expires_at, payload=found["payload"])


def redeem(state: OpenedState) -> None:
    """Use the state up, in the transaction of whatever it authorises. Raises StateUsed."""
    if not records.redeem(state.id, expires_at=state.expires_at):
        raise StateUsed


def _decoded(text: str) -> bytes:
    """The bytes behind the text in its one spelling. Raises StateForeign."""
    if not 0 < len(text) <= MAX_STATE or not text.isascii():
        raise StateForeign
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise StateForeign from None
    if len(data) < 2 or base64.urlsafe_b64encode(data).decode("ascii").rstrip("=") != text:
        raise StateForeign
    return data


def _derived(key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_DOMAIN).derive(key)
