"""Edits against the chains of their tickets: no revision without its edit, none left out.

Of every earlier revision the digest is computed again from what its edit kept of it, so that the
votes on it still speak of something that can be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final

from approvals.audit.binding import ticket_binding
from approvals.audit.breaks import Break
from approvals.audit.replay import Replay
from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.canonical import ticket_digest
from approvals.models import Edit, Ticket

TABLE: Final = Edit._meta.db_table


def edits_of(tickets: Sequence[Ticket]) -> dict[int, list[Edit]]:
    """The edits of these tickets by ticket, in the order of their revisions; one query."""
    found: dict[int, list[Edit]] = {}
    edits = Edit.objects.select_related("arguments_before").filter(ticket__in=tickets)
    for edit in edits.order_by("revision"):
        found.setdefault(edit.ticket_id, []).append(edit)
    return found


def check(replay: Replay, ticket: Ticket, edits: Sequence[Edit]) -> Iterator[Break]:
    """What is wrong with the revisions of one ticket."""
    for edit in edits:
        if str(edit.pk) not in replay.edits:
            yield Break(TABLE, str(edit.pk), "no audit row speaks of this edit")
    if [edit.revision for edit in edits] != list(range(2, ticket.revision + 1)):
        yield Break(
            Ticket._meta.db_table,
            str(ticket.pk),
            f"it is at revision {ticket.revision}, and its edits do not lead there",
        )
        return
    followed = [*(edit.arguments_before_id for edit in edits[1:]), ticket.arguments_id]
    for edit, arguments in zip(edits, followed, strict=False):
        if edit.arguments_id != arguments:
            yield Break(TABLE, str(edit.pk), "its arguments are not those of its revision")
        yield from _before(ticket, edit)


def _before(ticket: Ticket, edit: Edit) -> Iterator[Break]:
    """The digest of the revision before, from what the edit kept of it."""
    earlier = copy(ticket)
    earlier.revision = edit.revision - 1
    earlier.arguments = edit.arguments_before
    earlier.nonce = edit.nonce_before
    earlier.obligations = edit.obligations_before
    try:
        bound = ticket_digest(ticket_binding(earlier, unseal(edit.arguments_before)))
    except PayloadPurged:
        return
    except (SealBroken, TypeError, ValueError):
        yield Break(TABLE, str(edit.pk), "the arguments before it cannot be read")
        return
    if bound != bytes(edit.digest_before):
        yield Break(TABLE, str(edit.pk), "the digest before it is not that of what it bound")
