"""What happened before: a ticket's chain, its agent's last hour, the last call like it.

Visibility stands inside every query: a person learns nothing here of tickets they may not see.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Subquery

from approvals import ports
from approvals.audit import ticket_subject
from approvals.domain.states import State
from approvals.models import AuditEvent, DatabaseNow, Person, Ticket, after_seconds
from approvals.selectors.canaries import untold
from approvals.selectors.readers import Reader, person_of
from approvals.selectors.snoozing import put_away
from approvals.selectors.visibility import is_visible_to, sees_everything, tickets_visible_to

HOUR: Final = 3600
MONTH: Final = 30 * 24 * HOUR
PAGE: Final = 100
BOUND: Final = 1000  # tickets that are looked at
EARLIER: Final = 5

_APPROVED = Q(decided_at__isnull=False) & ~Q(state=State.REJECTED)
# A test that was revealed is no deed of the agent's; one that waits counts, or it would stand out.
_ITS_OWN = Q(canary__isnull=True) | Q(ended_at__isnull=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What the agent did in the last hour, and what became of this tool in the last thirty days.

    `unasked` is what policy allowed and denied without asking anybody, of the newest BOUND such
    calls; None where nobody can say.
    """

    paused: int
    approved: int
    rejected: int
    unasked: tuple[int, int] | None
    tool_approved: int
    tool_rejected: int
    tool_unknown: int


def ticket_for(reader: Reader, uid: UUID) -> Ticket | None:
    """The ticket with all that its page shows; None when hidden just as when absent.

    `read_at` is the database's time, `away_until` until when the reader has put the ticket away.
    """
    return (
        tickets_visible_to(reader)
        .select_related(
            "team",
            "person",
            "policy",
            "arguments",
            "tool_definition",
            "agent_says",
            "result",
            "reason",
            "annotation",
            "possible_repeat_of",
            "retry_of",
        )
        .annotate(
            read_at=DatabaseNow(),
            away_until=Subquery(put_away(person_of(reader).pk).values("until")[:1]),
        )
        .filter(uid=uid)
        .first()
    )


def timeline(ticket: Ticket) -> QuerySet[AuditEvent]:
    """The ticket's audit chain, oldest first; for a ticket that the reader may see."""
    return AuditEvent.objects.filter(subject=ticket_subject(ticket.uid)).order_by("seq")


def last_approved_like(ticket: Ticket, reader: Reader) -> Ticket | None:
    """The last call of the same agent to the same tool that was approved, of the last BOUND."""
    approved = _before(ticket).filter(_APPROVED, is_visible_to(reader))
    return approved.select_related("arguments").order_by("-pk").first()


def earlier_decisions(ticket: Ticket, reader: Reader) -> list[Ticket]:
    """What was decided last of the same agent's calls to the same tool, the newest first."""
    decided = _before(ticket).filter(is_visible_to(reader), decided_at__isnull=False)
    found = decided.only("uid", "state", "decided_at", "created_at").order_by("-pk")
    return list(found[:EARLIER])


def agent_activity(ticket: Ticket, reader: Reader) -> Activity:
    """How the agent has behaved, as far as this person may see it."""
    newest = Ticket.objects.filter(agent_id=ticket.agent_id).order_by("-pk").values("pk")[:BOUND]
    mine = is_visible_to(reader)
    hour = _counts(Ticket.objects.filter(mine, _ITS_OWN, pk__in=newest), since=HOUR)
    tool = _counts(_before(ticket).filter(mine), since=MONTH)
    return Activity(
        paused=hour["paused"],
        approved=hour["approved"],
        rejected=hour["rejected"],
        unasked=ports.calls_unasked(agent_id=ticket.agent_id, seconds=HOUR, most=BOUND),
        tool_approved=tool["approved"],
        tool_rejected=tool["rejected"],
        tool_unknown=tool["unknown"],
    )


def _before(ticket: Ticket) -> QuerySet[Ticket]:
    """The last BOUND calls of the same agent to the same tool before this one."""
    like = Ticket.objects.filter(
        agent_id=ticket.agent_id,
        tool_name=ticket.tool_name,
        upstream_id=ticket.upstream_id,
        pk__lt=ticket.pk,
    )
    return Ticket.objects.filter(_ITS_OWN, pk__in=like.order_by("-pk").values("pk")[:BOUND])


def audit_events(
    person: Person, *, before: int | None = None, limit: int = PAGE, subject: str = ""
) -> tuple[list[AuditEvent], int | None]:
    """The record of everything, newest first, and the key of the page that follows.

    For admins and auditors; anybody else reads the chains of the tickets they may see. Without
    the chains of tests that this person might still be asked about.
    """
    if not sees_everything(person):
        return [], None
    rows = AuditEvent.objects.exclude(subject__in=untold(person))
    if subject:
        rows = rows.filter(subject=subject)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def telling_openings(events: Collection[AuditEvent]) -> frozenset[str]:
    """Subjects of the events' tickets that are still open.

    How such a chain begins would tell a test from a call, so it is shown of neither.
    """
    uids = [event.subject.removeprefix("ticket:") for event in events if event.action == "opened"]
    still_open = Ticket.objects.filter(uid__in=filter(_is_uid, uids), ended_at__isnull=True)
    return frozenset(ticket_subject(uid) for uid in still_open.values_list("uid", flat=True))


def _is_uid(text: str) -> bool:
    """What somebody wrote past the guards is still shown."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _counts(some: QuerySet[Ticket], *, since: int) -> dict[str, int]:
    """What became of the tickets of the last `since` seconds; of a bounded number of rows."""
    recent = Q(created_at__gte=after_seconds(-since))
    counted: dict[str, int] = some.aggregate(
        paused=Count("pk", filter=recent),
        approved=Count("pk", filter=recent & _APPROVED),
        rejected=Count("pk", filter=recent & Q(state=State.REJECTED)),
        unknown=Count("pk", filter=recent & Q(state=State.OUTCOME_UNKNOWN)),
    )
    return counted
