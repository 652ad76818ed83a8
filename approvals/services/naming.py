"""Keeps the list of names that tickets carry, so that a search need not look through tickets."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

from approvals.models import KnownName, Ticket

type _Name = tuple[UUID, str, str]

_noted: set[tuple[str, _Name]] = set()  # by database; only what was committed


def note_names(ticket: Ticket, *, groups: Iterable[UUID]) -> None:
    """See to it that whoever sees the ticket finds its names on the list; joins its transaction.

    `groups` are those that it asks. A process asks the database once for each name and audience.
    """
    database = str(connection.settings_dict["NAME"])
    audiences = {ticket.team_id, ticket.person_id, *groups}
    named = [(audience, *name) for audience in audiences for name in names_of(ticket)]
    missing = [name for name in named if (database, name) not in _noted]
    if not missing:
        return
    KnownName.objects.bulk_create(
        [
            KnownName(audience=audience, kind=kind, name=name, folded=name.casefold())
            for audience, kind, name in missing
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: _noted.update((database, name) for name in missing))


def names_of(ticket: Ticket) -> tuple[tuple[str, str], ...]:
    """The names that a ticket can be found by, each with its kind."""
    return (
        (KnownName.Kind.AGENT.value, ticket.agent_name),
        (KnownName.Kind.UPSTREAM.value, ticket.upstream_name),
        (KnownName.Kind.TOOL.value, ticket.tool_name),
    )
