"""A bridge for tests: robo with a token, and the witness as its upstream, made by the services.

`a_bridge` writes rows; `Bridge` makes principals and calls of them. Use with `real_db`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration.upstreams import UpstreamSettings, create_upstream
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import ClientDeclaration, RequestMeta, ToolCall
from mcpbridge.models import Agent, AgentToken, ToolPin, Upstream
from tests.support.ledger import Cast, a_cast

ALLOW_ECHO = {"name": "reading is fine", "tool": "echo", "effect": "allow"}
ALLOW_SLOW = {"name": "waiting is fine", "tool": "slow", "effect": "allow"}
DENY_BIG = {"name": "nothing big", "tool": "big", "effect": "deny"}
ASK_NOTES = {"name": "notes are seen", "tool": "write_note", "effect": "require_approval"}
RULES = (ALLOW_ECHO, ALLOW_SLOW, DENY_BIG, ASK_NOTES)


@dataclass
class Bridge:
    """The rows of one small installation."""

    cast: Cast
    agent: Agent
    token: AgentToken
    upstream: Upstream

    def principal(self, **changes: Any) -> Principal:
        values: dict[str, Any] = {
            "agent_id": self.agent.id,
            "agent_name": self.agent.name,
            "token_id": self.token.id,
            "team_id": self.agent.team_id,
            "person_id": self.agent.owner_id,
            "gate_epoch": ledger.gate().epoch,
            "hold_seconds": None,
            "grace_seconds": self.agent.grace_seconds,
            "max_open_tickets": self.agent.max_open_tickets,
        }
        return Principal(**{**values, **changes})

    def pin(self, name: str) -> ToolPin:
        return ToolPin.objects.get(upstream=self.upstream, name=name)


def a_call(tool: str, arguments: dict[str, Any] | None = None, **meta: Any) -> ToolCall:
    """A call of the witness's tool `tool`."""
    value = arguments or {}
    return ToolCall(
        upstream="witness",
        tool=tool,
        arguments=value,
        arguments_bytes=json.dumps(value, sort_keys=True, separators=(",", ":")).encode(),
        meta=RequestMeta(**meta),
        client=ClientDeclaration(protocol_version="2026-07-28", name="test", version="1"),
    )


def a_bridge(
    url: str, *, rules: tuple[dict[str, Any], ...] = RULES, pinned: bool = True, **settings: Any
) -> Bridge:
    """robo of alice's team, a live token, and the witness as upstream under `rules`."""
    cast = a_cast()
    agent = Agent.objects.create(id=cast.robo, name="robo", team=cast.team, owner=cast.alice.person)
    token = AgentToken.objects.create(
        agent=agent,
        digest=hashlib.sha256(secrets.token_bytes(32)).digest(),
        hint="abcd",
        expires_at=timezone.now() + timedelta(days=1),
    )
    upstream = create_upstream(
        actor="system:test",
        name="witness",
        settings=UpstreamSettings(
            **{
                "transport": "http",
                "url": url,
                "allow_private_addresses": True,
                "pin_on_first_contact": pinned,
                "team_ids": frozenset({cast.team.pk}),
                **settings,
            }
        ),
    )
    ledger.publish_policy(document={"rules": list(rules)})
    return Bridge(cast=cast, agent=agent, token=token, upstream=upstream)
