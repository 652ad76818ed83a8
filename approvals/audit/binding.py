"""What a ticket's digest is made of, read from its row.

Used where the digest is made, where it is checked before sending, and by `verify_audit`.
"""

from __future__ import annotations

from approvals.domain.canonical import TicketBinding
from approvals.models import Ticket


def ticket_binding(ticket: Ticket, arguments: bytes) -> TicketBinding:
    """The binding of `ticket` with its exact argument bytes."""
    return TicketBinding(
        ticket_id=str(ticket.uid),
        revision=ticket.revision,
        nonce=bytes(ticket.nonce),
        agent=str(ticket.agent_id),
        person=str(ticket.person_id),
        upstream=str(ticket.upstream_id),
        upstream_config_digest=bytes(ticket.upstream_digest),
        tool=ticket.tool_name,
        tool_digest=bytes(ticket.tool_digest),
        arguments=arguments,
        salt=bytes(ticket.arguments.salt or b""),
        obligations=ticket.obligations,
    )
