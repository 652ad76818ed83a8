"""How a paused call looks to its client. The one place that decides it.

Best first, by what the client declares in this very request: a task; else its request is held
open, and at the limit the client is asked to send the same request again (2026-07-28) as often
as its SDK does so by itself; else, and after that, it is handed over to `placet__await_ticket`.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mcpbridge.calls.limits import HoldLimits
from mcpbridge.calls.outcome import TicketFacts, outcome_of
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import ClientDeclaration
from mcpbridge.calls.wording import progress_text

MOST_ROUNDS: Final = 8  # official SDKs send a request again at most ten times
_SHORTEST_ROUND: Final = 1.0  # seconds; shorter ones would only be a busy loop


@dataclass(frozen=True, slots=True)
class AsTask:
    """Answer with a task at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Keep the request open for so many seconds; report progress every so many, if asked to.

    `rounds_left`: how often the client may still be asked to send its request again.
    """

    seconds: float
    report_every: float | None
    rounds_left: int = 0


type Style = AsTask | Held


def style_of(
    client: ClientDeclaration,
    principal: Principal,
    *,
    has_progress_token: bool,
    limits: HoldLimits | None = None,
) -> Style:
    """How a paused call of this client is rendered."""
    if client.is_modern and client.tasks:
        return AsTask()
    return held_for(client, principal, has_progress_token=has_progress_token, limits=limits)


def held_for(
    client: ClientDeclaration,
    principal: Principal,
    *,
    has_progress_token: bool,
    rounds: int = 0,
    limits: HoldLimits | None = None,
) -> Held:
    """How long a request of this client is held, after so many rounds of the same call.

    The agent's own limit beats the client's.
    """
    limits = limits or HoldLimits()
    own = principal.hold_seconds
    seconds = (
        float(own)
        if own is not None
        else limits.seconds(client_name=client.name, has_progress_token=has_progress_token)
    )
    again = client.is_modern and seconds >= _SHORTEST_ROUND
    return Held(
        seconds=seconds,
        report_every=limits.progress_every if has_progress_token else None,
        rounds_left=max(0, MOST_ROUNDS - rounds) if again else 0,
    )


def progress_message(ticket: TicketFacts, *, public_url: str) -> str:
    """What a progress notification says: who is waited for, and where people see the ticket."""
    return progress_text(outcome_of(ticket, public_url=public_url), number=ticket.number)
