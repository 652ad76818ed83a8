"""How a paused call looks to its client. The one place that decides it.

Today every client's request is held open and, at its limit, handed over to
`placet__await_ticket`. The Tasks extension (`ClientDeclaration.tasks`) and `input_required` with
a sealed `requestState` (`ClientDeclaration.is_modern`) are further styles and join here. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcpbridge.calls.limits import HoldLimits
from mcpbridge.calls.outcome import Pending, TicketFacts, outcome_of
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import ClientDeclaration


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Keep the request open for so many seconds; report progress every so many, if asked to."""

    seconds: float
    report_every: float | None


def style_of(
    client: ClientDeclaration,
    principal: Principal,
    *,
    has_progress_token: bool,
    limits: HoldLimits | None = None,
) -> Held:
    """How a paused call of this client is rendered. The agent's own limit beats the client's."""
    limits = limits or HoldLimits()
    own = principal.hold_seconds
    seconds = (
        float(own)
        if own is not None
        else limits.seconds(client_name=client.name, has_progress_token=has_progress_token)
    )
    return Held(seconds=seconds, report_every=limits.progress_every if has_progress_token else None)


def progress_message(ticket: TicketFacts, *, public_url: str) -> str:
    """What a progress notification says: who is waited for, and where people see the ticket."""
    outcome = outcome_of(ticket, public_url=public_url)
    if not isinstance(outcome, Pending):
        return f"Ticket {ticket.number}: the outcome is known."
    match outcome.stage:
        case "deciding":
            asked = ", ".join(_one_line(name) for name in outcome.groups) or "the reviewers"
            where = f"waiting for approval by {asked} ({outcome.have} of {outcome.need} so far)"
        case "approved":
            where = "approved, about to run"
        case "running":
            where = "approved, running"
    return f"Ticket {ticket.number}: {where}. {outcome.ticket.url}".rstrip()


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
