"""Signed webhooks after the Standard Webhooks specification, version 1 (symmetric, HMAC-SHA256).

The receiver checks `webhook-signature` over `webhook-id`, `webhook-timestamp` and the exact body
with the secret it shares with us, refuses old timestamps, and knows a repeat by its id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from approvals.carriers.errors import Refused
from approvals.carriers.http import post, require_url
from approvals.domain.wording import say

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
LEAST_BYTES: Final = 24  # both bounds are the specification's
MOST_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where to post, and the secret that signs."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


def new_secret() -> str:
    """A secret as receivers expect it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def require_hook(hook: Hook, *, allow_private: bool) -> None:
    """Raise Refused unless the hook can be used."""
    require_url(hook.url, allow_private=allow_private)
    _key(hook.secret)


def signature(secret: str, *, message_id: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature` for a message of second `at`."""
    signed = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def send(
    hook: Hook,
    *,
    message_id: str,
    kind: str,
    at: datetime,
    now: datetime,
    data: Mapping[str, Any],
    allow_private: bool,
) -> None:
    """Post one event that happened `at`; raises CarrierError."""
    event = {"type": kind, "timestamp": at.isoformat(), "data": data}
    body = json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()
    second = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(second),
        "webhook-signature": signature(hook.secret, message_id=message_id, at=second, body=body),
    }
    post(hook.url, body, headers, allow_private=allow_private)


def _key(secret: str) -> bytes:
    """The bytes behind `whsec_…`; raises Refused."""
    try:
        if not secret.startswith(PREFIX):
            raise ValueError
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise Refused(
            say("the secret must be {detail} followed by base64", detail=PREFIX)
        ) from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise Refused(
            say("the secret must hold {least} to {most} bytes", least=LEAST_BYTES, most=MOST_BYTES)
        )
    return key
