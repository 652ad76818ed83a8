"""When a form was shown, carried in its nonce, so that a vote tells how long somebody looked.

A nonce is `milliseconds.random.seal`, the first part in base 36. The seal keeps whoever posts it
from claiming another time; a nonce without one is as good for a vote and tells nothing.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import base36_to_int, int_to_base36

SALT: Final = "approvals.looks"
SEAL_CHARS: Final = 16
RANDOM_BYTES: Final = 15


def nonce_shown_now() -> str:
    """A fresh nonce for a form that is shown now."""
    millis = int(timezone.now().timestamp() * 1000)
    body = f"{int_to_base36(millis)}.{secrets.token_urlsafe(RANDOM_BYTES)}"
    return f"{body}.{_seal(body)}"


def shown_at(nonce: str) -> datetime | None:
    """When the form with this nonce was shown; None where the nonce does not tell."""
    body, _, seal = nonce.rpartition(".")
    millis, _, random = body.partition(".")
    if not random or not constant_time_compare(seal, _seal(body)):
        return None
    return datetime.fromtimestamp(base36_to_int(millis) / 1000, tz=UTC)


def _seal(body: str) -> str:
    return salted_hmac(SALT, body, algorithm="sha256").hexdigest()[:SEAL_CHARS]
