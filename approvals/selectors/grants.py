"""Standing permissions and the calls they speak of. Reads only, each within a bound.

Nothing is counted beyond the bounds below: where more may exist, the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When

from approvals import ports
from approvals.audit import ticket_subject
from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.pins import without
from approvals.domain.states import CANCELLABLE, State
from approvals.models import (
    AuditEvent,
    DatabaseNow,
    Grant,
    Person,
    TeamMembership,
    Ticket,
    after_seconds,
)
from approvals.selectors.absence import voting_groups
from approvals.selectors.agreement import AGREEMENT, agreement_on, backed
from approvals.selectors.visibility import Asked, sees_everything, tickets_visible_to

DAYS: Final = 30
LOOKED_AT: Final = 200  # past calls
READ_BYTES: Final = 65_536  # a larger call is not compared
EXAMPLES: Final = 5
PAGE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a permission would have let through, among at most LOOKED_AT past calls.

    `more` says that there were more calls than were looked at, or some too large to compare.
    """

    looked_at: int
    covered: int
    examples: tuple[Ticket, ...]
    rejected: tuple[Ticket, ...]  # covered, and a person said no to them; newest first
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A permission as it stands; `held_back` while an outcome of its own is unknown.

    `lapsed`: those who agreed to it could not give it today.
    """

    grant: Grant
    is_live: bool
    held_back: bool
    lapsed: bool
    agreed_by: tuple[str, ...]


def past_like(ticket: Ticket, person: Person, *, free: tuple[str, ...]) -> Past:
    """The calls of the same agent and tool that pins like these would have covered, in 30 days."""
    own = read_canonical(unseal(ticket.arguments))
    pinned = canonical_bytes(without(own, free))
    calls = list(
        tickets_visible_to(person)
        .filter(
            agent_id=ticket.agent_id,
            upstream_id=ticket.upstream_id,
            tool_name=ticket.tool_name,
            canary__isnull=True,
            created_at__gte=after_seconds(-DAYS * 24 * 3600),
        )
        .exclude(pk=ticket.pk)
        .select_related("arguments")
        .order_by("-pk")[: LOOKED_AT + 1]
    )
    more = len(calls) > LOOKED_AT
    covered: list[Ticket] = []
    for call in calls[:LOOKED_AT]:
        arguments = _arguments(call)
        if arguments is None:
            more = True
        elif canonical_bytes(without(arguments[0], free)) == pinned:
            covered.append(call)
    return Past(
        looked_at=min(len(calls), LOOKED_AT),
        covered=len(covered),
        examples=tuple(covered[:EXAMPLES]),
        rejected=tuple(call for call in covered if call.state == State.REJECTED),
        more=more,
    )


def session_of(ticket: Ticket) -> str:
    """The keyed name of the session the call came in; empty where its era knows no sessions.

    It stands in the first link of the ticket's chain, which nothing can change.
    """
    first = AuditEvent.objects.filter(subject=ticket_subject(ticket.uid), seq=1)
    detail = first.values_list("detail", flat=True).first()
    session = detail.get("session") if isinstance(detail, dict) else None
    return session if isinstance(session, str) else ""


def live() -> Q:
    """Neither over nor used up nor revoked."""
    return Q(revoked_at__isnull=True, expires_at__gt=DatabaseNow(), uses__lt=F("max_uses"))


def unresolved_outcome() -> Exists:
    """A call that this permission let through has an unknown outcome that nobody looked into."""
    return Exists(
        Ticket.objects.filter(
            grant=OuterRef("pk"), state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True
        )
    )


def grants_visible_to(person: Person) -> QuerySet[Grant]:
    """The permissions of this person's teams, and those made from tickets they were asked about."""
    if sees_everything(person):
        return Grant.objects.all()
    teams = TeamMembership.objects.filter(person=person, team=OuterRef("team"))
    asked = Asked.objects.filter(
        ticket=OuterRef("made_from"), reviewergroup__in=voting_groups(person)
    )
    return Grant.objects.filter(Exists(teams) | Exists(asked))


def grants_page(
    person: Person, *, is_live: bool, before: UUID | None, one_person: bool
) -> tuple[list[Standing], UUID | None]:
    """A page of permissions, newest first, and the key of the page that follows.

    Who owns the agents now is not asked: that would be a question for each.
    """
    rows = _rows(grants_visible_to(person)).defer("made_from__arguments__ciphertext")
    rows = rows.filter(live()) if is_live else rows.exclude(live())
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: PAGE + 1])
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    return _standings(found[:PAGE], owners={}, one_person=one_person), older


def grant_for(person: Person, grant_id: UUID, *, one_person: bool) -> Standing | None:
    """One permission; None when hidden just as when absent."""
    row = _rows(grants_visible_to(person)).filter(pk=grant_id).first()
    if row is None:
        return None
    owners = {row.agent_id: ports.owner_of_agent(row.agent_id)}
    return _standings([row], owners=owners, one_person=one_person)[0]


def made_of(ticket: Ticket) -> list[Grant]:
    """The permissions that came of this ticket, and the one that let it through."""
    return list(Grant.objects.filter(Q(made_from=ticket) | Q(pk=ticket.grant_id)))


def unsent_of(grant: Grant) -> QuerySet[Ticket]:
    """The calls that this permission let through and that could still be cancelled."""
    return Ticket.objects.filter(grant=grant, state__in=[state.value for state in CANCELLABLE])


def let_through(
    grant: Grant, person: Person, *, before: int | None
) -> tuple[list[Ticket], int | None]:
    """The tickets that a permission opened, newest first, and the key of the page that follows."""
    rows = tickets_visible_to(person).filter(grant=grant)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    rows = rows.select_related("arguments", "tool_definition").order_by("-pk")
    found = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None


def _rows(grants: QuerySet[Grant]) -> QuerySet[Any]:
    return (
        grants.annotate(
            held_back=unresolved_outcome(), is_live=Case(When(live(), then=True), default=False)
        )
        .select_related("team", "made_from", "made_from__arguments", "granted_by", "revoked_by")
        .prefetch_related(*AGREEMENT)
    )


def _standings(
    rows: list[Any], *, owners: Mapping[UUID, UUID | None], one_person: bool
) -> list[Standing]:
    """`rows` with what `_rows` adds; whoever's newest vote agreed to these very terms gave it."""
    holding = backed(rows, owners=owners, one_person=one_person)
    return [
        Standing(
            grant=row,
            is_live=row.is_live,
            held_back=row.held_back,
            lapsed=row.pk not in holding,
            agreed_by=tuple(agreement_on(row).values()),
        )
        for row in rows
    ]


def _arguments(ticket: Ticket) -> tuple[JSON] | None:
    """The call's arguments in a box, or None where they cannot be compared."""
    if ticket.arguments.size > READ_BYTES:
        return None
    try:
        return (read_canonical(unseal(ticket.arguments)),)
    except (PayloadPurged, SealBroken):
        return None
