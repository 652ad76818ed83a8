"""Several tickets on one page: what each would run, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from approvals.domain.quorum import Answer
from approvals.models import Ticket
from approvals.presenters.arguments import Row as ArgumentRow
from approvals.presenters.arguments import input_schema, present_arguments
from approvals.presenters.calls import Call
from approvals.presenters.gists import calls_of
from approvals.presenters.sealed import open_bytes, open_json
from approvals.presenters.words import RISK_MARKS, Mark, told
from approvals.services.batches import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One chosen ticket; `rows` are all its arguments where it can be approved from here."""

    uid: str
    digest: str
    number: int
    url: str
    mark: Mark
    call: Call
    rows: tuple[ArgumentRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """What became of one of them."""

    url: str
    number: int
    call: Call
    mark: Mark
    words: str


def present_batch(tickets: Sequence[Ticket], *, whole: bool) -> tuple[BatchRow, ...]:
    """The chosen tickets; with `whole` each with everything that it would send."""
    calls = calls_of(tickets)
    return tuple(
        BatchRow(
            uid=str(ticket.uid),
            digest=bytes(ticket.digest).hex(),
            number=ticket.pk,
            url=reverse("approvals:ticket", args=[ticket.uid]),
            mark=RISK_MARKS[ticket.risk],
            call=calls[ticket.pk],
            rows=_arguments(ticket) if whole else (),
        )
        for ticket in tickets
    )


def present_results(
    results: Sequence[Result], tickets: Mapping[UUID, Ticket], *, verdict: Answer
) -> tuple[ResultRow, ...]:
    """Each result with its ticket, as far as the reader may still see it."""
    calls = calls_of(list(tickets.values()))
    rows = []
    for result in results:
        ticket = tickets.get(result.uid)
        if ticket is None:
            continue
        mark, words = _became(result, verdict)
        rows.append(
            ResultRow(
                url=reverse("approvals:ticket", args=[ticket.uid]),
                number=ticket.pk,
                call=calls[ticket.pk],
                mark=mark,
                words=words,
            )
        )
    return tuple(rows)


def _arguments(ticket: Ticket) -> tuple[ArgumentRow, ...]:
    sealed, _ = open_bytes(ticket.arguments)
    schema = input_schema(open_json(ticket.tool_definition))
    return present_arguments(sealed, schema, ()).rows


def _became(result: Result, verdict: Answer) -> tuple[Mark, str]:
    if result.refusal is not None:
        return Mark("wait", "warn", gettext("Not decided")), told(result.refusal.message)
    if result.kind == "canary":
        return Mark("off", "seal", gettext("This was a test")), ""
    if result.kind == "counted":
        return (
            Mark("wait", "clock", gettext("Counted")),
            gettext("More people have to agree."),
        )
    if verdict is Answer.APPROVE:
        return Mark("good", "check", gettext("Approved")), ""
    return Mark("refused", "cross", gettext("Rejected")), ""
