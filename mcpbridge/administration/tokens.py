"""Service tokens: shown once, kept as a digest, always with an end.

The secret exists in the return value of `issue_token` and nowhere else.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from mcpbridge.administration.errors import Refused
from mcpbridge.approvals_gateway import CancelReason, audit, bump_epoch, cancel_tickets, say
from mcpbridge.models import Agent, AgentToken

PREFIX: Final = "placet_"
SECRET_BYTES: Final = 32
DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 366
MAX_LABEL: Final = 80
MAX_AUDIENCE: Final = 200
HINT: Final = 4
SCOPES: Final = ("mcp",)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token; `secret` is what the agent sends, and cannot be read again."""

    token_id: UUID
    expires_at: datetime
    secret: str = field(repr=False)


@transaction.atomic
def issue_token(
    *,
    actor: str,
    agent: Agent,
    days: int = DEFAULT_DAYS,
    label: str = "",
    audience: str = "",
    issued_by_id: UUID | None = None,
) -> IssuedToken:
    """A new token for `agent`, good for `days`; joins or opens a transaction.

    An empty audience means this installation. Raises Refused for a disabled agent, a bad term,
    label or audience.
    """
    if not agent.enabled:
        raise Refused(
            say("agent {name} is disabled; enable it before issuing a token", name=agent.name)
        )
    if not 1 <= days <= MAX_DAYS:
        raise Refused(
            say("a token lives 1 to {most} days, not {days}", most=MAX_DAYS, days=days),
            field="days",
        )
    if len(label) > MAX_LABEL:
        raise Refused(say("the label may have {most} characters", most=MAX_LABEL), field="label")
    if audience and not _is_address(audience):
        raise Refused(
            say(
                "the audience must be the MCP address that the token is for, as in"
                " https://placet.example.com/mcp"
            ),
            field="audience",
        )
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = AgentToken.objects.create(
        agent=agent,
        label=label,
        digest=hashlib.sha256(secret.encode("ascii")).digest(),
        hint=secret[-HINT:],
        audience=audience,
        scopes=list(SCOPES),
        issued_by_id=issued_by_id,
        expires_at=timezone.now() + timedelta(days=days),
    )
    audit(
        subject=f"agent:{agent.id}",
        actor=actor,
        action="token_issued",
        detail={"token": str(token.id), "expires_at": token.expires_at.isoformat()},
    )
    return IssuedToken(token_id=token.id, expires_at=token.expires_at, secret=secret)


@transaction.atomic
def revoke_token(*, actor: str, token_id: UUID) -> AgentToken:
    """End a token at once, with every call that it opened and that was not sent; idempotent."""
    token = AgentToken.objects.select_for_update(no_key=True).get(pk=token_id)
    if token.revoked_at is not None:
        return token
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    bump_epoch(
        subject=f"agent:{token.agent_id}",
        actor=actor,
        action="token_revoked",
        detail={"token": str(token.id)},
    )
    cancel_tickets(reason=CancelReason.TOKEN_REVOKED, actor=actor, token_id=token.id)
    return token


def _is_address(audience: str) -> bool:
    try:
        parts = urlsplit(audience)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and len(audience) <= MAX_AUDIENCE
        and not parts.fragment
    )
