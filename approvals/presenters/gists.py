"""The calls of many tickets, each in one line, without opening what was opened before.

A line is a function of the sealed call and of the reader's language, so it is kept in memory for a
while, by the ticket's digest, which binds the call. What retention has purged is forgotten with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final
from uuid import UUID

from django.utils.translation import get_language, gettext

from approvals.models import Payload, Ticket
from approvals.presenters.arguments import input_schema
from approvals.presenters.calls import Call, call_of, table_of
from approvals.presenters.sealed import open_bytes, open_json
from approvals.presenters.words import byte_size

READ_BYTES: Final = 65_536  # a list of many larger calls would keep its reader waiting
KEPT: Final = 2000

type _Key = tuple[bytes, bool, str, str | None]


class _Kept:
    """The lines that were asked for last, for all threads of a process."""

    def __init__(self) -> None:
        self._calls: OrderedDict[_Key, Call] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key) -> Call | None:
        with self._lock:
            call = self._calls.get(key)
            if call is not None:
                self._calls.move_to_end(key)
            return call

    def put(self, key: _Key, call: Call) -> None:
        with self._lock:
            self._calls[key] = call
            while len(self._calls) > KEPT:
                self._calls.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._calls.clear()


kept = _Kept()


def calls_of(tickets: Sequence[Ticket]) -> dict[int, Call]:
    """Each ticket's call by the ticket's key, with at most one query for all that is not kept."""
    return calls_and(tickets, ())[0]


def calls_and(
    tickets: Sequence[Ticket], sealed: Iterable[UUID]
) -> tuple[dict[int, Call], dict[UUID, Payload]]:
    """As `calls_of`, and the rows behind these keys `sealed`, by the same query."""
    calls: dict[int, Call] = {}
    missing: list[Ticket] = []
    for ticket in tickets:
        call = kept.get(_key(ticket))
        if call is None:
            missing.append(ticket)
        else:
            calls[ticket.pk] = call
    payloads = _payloads(missing, sealed)
    for ticket in missing:
        calls[ticket.pk] = _call(ticket, payloads)
        kept.put(_key(ticket), calls[ticket.pk])
    return calls, payloads


def _key(ticket: Ticket) -> _Key:
    purged = ticket.arguments.purged_at is not None
    return bytes(ticket.digest), purged, ticket.agent_name, get_language()


def _payloads(tickets: Sequence[Ticket], sealed: Iterable[UUID]) -> dict[UUID, Payload]:
    """The sealed rows behind these, but for those that are too large to be read."""
    wanted = {*sealed, *(ticket.arguments_id for ticket in tickets)}
    wanted |= {key for ticket in tickets if (key := ticket.tool_definition_id) is not None}
    readable = Payload.objects.filter(purged_at__isnull=True, size__lte=READ_BYTES)
    return readable.in_bulk(wanted)


def _call(ticket: Ticket, payloads: dict[UUID, Payload]) -> Call:
    size = ticket.arguments.size
    too_large = ticket.arguments.purged_at is None and size > READ_BYTES
    arguments, _why = open_bytes(payloads.get(ticket.arguments_id))
    definition = payloads.get(ticket.tool_definition_id) if ticket.tool_definition_id else None
    schema = None if arguments is None else input_schema(open_json(definition))
    return call_of(
        agent=ticket.agent_name,
        upstream=ticket.upstream_name,
        tool=ticket.tool_name,
        table=table_of(arguments, schema),
        instead=gettext("{size} of arguments").format(size=byte_size(size)) if too_large else "",
    )
