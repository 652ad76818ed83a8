"""Sealed payloads as pages want them: the bytes, or the word for why there are none."""

from __future__ import annotations

import json
from typing import Literal

from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.canonical import JSON
from approvals.models import Payload

type Why = Literal["", "purged", "broken"]


def open_bytes(payload: Payload | None) -> tuple[bytes | None, Why]:
    """The plain bytes, or None and why: never sealed (""), purged, or a broken seal."""
    if payload is None:
        return None, ""
    try:
        return unseal(payload), ""
    except PayloadPurged:
        return None, "purged"
    except SealBroken:
        return None, "broken"


def open_text(payload: Payload | None) -> str:
    """The plain text, or an empty string."""
    data, _ = open_bytes(payload)
    return "" if data is None else data.decode("utf-8", "replace")


def open_json(payload: Payload | None) -> JSON:
    """The value of sealed JSON, or None."""
    data, _ = open_bytes(payload)
    value: JSON = None if data is None else json.loads(data)
    return value
