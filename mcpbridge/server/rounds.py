"""Rounds of one paused call: at the hold limit the client gets a `requestState` and comes back.

The state names the ticket and counts the rounds; it is bound to the agent, the endpoint and the
request itself. Using it up and waiting for the ticket again is one transaction, so that a state
is honoured once, in one process. Knows no wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from django.db import transaction

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import TicketView, Waiting
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.request_state import Binding, OpenedState, open_state, redeem, seal_state

PURPOSE: Final = "round"
TTL_SECONDS: Final = 600.0
GAP_SECONDS: Final = 60.0  # SDKs come back at once; who takes longer has gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A state that came back: whose ticket, and how many rounds there were. Not used up yet."""

    ticket: UUID
    number: int
    state: OpenedState

    @classmethod
    def opened(cls, text: str, binding: Binding) -> Self:
        """The round that a state stands for. Raises StateForeign and StateExpired."""
        state = open_state(text, binding)
        return cls(
            ticket=UUID(state.payload["ticket"]), number=int(state.payload["round"]), state=state
        )

    def attach(
        self, *, uid: UUID, agent_id: UUID, waiting: Waiting, holder_id: UUID | None
    ) -> TicketView:
        """Wait for the ticket again, and use the state up. Raises StateUsed and NotVisible."""
        with transaction.atomic(durable=True):
            redeem(self.state)
            return ledger.attach(uid=uid, agent_id=agent_id, waiting=waiting, holder_id=holder_id)


def binding_of(exchange: Exchange, *, name: str, arguments_bytes: bytes) -> Binding:
    """What the states of this request are bound to."""
    upstream = exchange.upstream
    return Binding.of(
        purpose=PURPOSE,
        agent_id=exchange.principal.agent_id,
        endpoint="/mcp" if upstream is None else f"/mcp/u/{upstream}",
        method="tools/call",
        name=name,
        arguments_bytes=arguments_bytes,
    )


def next_round(ticket: UUID, *, number: int, binding: Binding) -> dict[str, Any]:
    """The `input_required` result that asks for nothing but the same request once more."""
    state = seal_state({"ticket": str(ticket), "round": number}, binding, ttl_seconds=TTL_SECONDS)
    return {"requestState": state}
