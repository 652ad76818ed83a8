"""Keeps the list of names that tickets carry, so that a search need not look through tickets."""

from __future__ import annotations

from django.db import connection, transaction

from approvals.models import KnownName, Ticket

type _Name = tuple[str, str]

_noted: set[tuple[str, _Name]] = set()  # by database; only what was committed


def note_names(ticket: Ticket) -> None:
    """See to it that the ticket's names are on the list; joins its transaction.

    A process asks the database once for each name.
    """
    database = str(connection.settings_dict["NAME"])
    missing = [name for name in names_of(ticket) if (database, name) not in _noted]
    if not missing:
        return
    KnownName.objects.bulk_create(
        [KnownName(kind=kind, name=name, folded=name.casefold()) for kind, name in missing],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: _noted.update((database, name) for name in missing))


def names_of(ticket: Ticket) -> tuple[_Name, ...]:
    """The names that a ticket can be found by, each with its kind."""
    return (
        (KnownName.Kind.AGENT.value, ticket.agent_name),
        (KnownName.Kind.UPSTREAM.value, ticket.upstream_name),
        (KnownName.Kind.TOOL.value, ticket.tool_name),
    )
