"""Tickets against their replayed chains: state, version, groups, votes, edits and digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from approvals.audit import edit_verification
from approvals.audit.binding import ticket_binding
from approvals.audit.breaks import Break
from approvals.audit.chain import ticket_subject
from approvals.audit.replay import Replay
from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.canonical import ticket_digest
from approvals.domain.obligations import obligations_from
from approvals.domain.quorum import Answer, Parties, Vote, resolve
from approvals.domain.seats import Mandate, mandates_from
from approvals.models import AuditEvent, Decision, Ticket, VoteMandate

TABLE: Final = Ticket._meta.db_table
GROUPS: Final = Ticket.groups.through._meta.db_table
DECISIONS: Final = Decision._meta.db_table
_CHUNK: Final = 500


def check(replays: Sequence[Replay]) -> Iterator[Break]:
    """What is wrong with the tickets of these chains, and with their votes and groups."""
    tickets = {
        str(ticket.uid): ticket
        for ticket in Ticket.objects.select_related("arguments").filter(
            uid__in=[replay.uid for replay in replays if _is_uid(replay.uid)]
        )
    }
    decisions: dict[int, list[Decision]] = {}
    for decision in Decision.objects.filter(ticket__in=tickets.values()).order_by("pk"):
        decisions.setdefault(decision.ticket_id, []).append(decision)
    groups: dict[int, dict[str, str]] = {}
    through = Ticket.groups.through.objects.filter(ticket__in=tickets.values())
    for key, ticket_id, group_id in through.values_list("pk", "ticket_id", "reviewergroup_id"):
        groups.setdefault(ticket_id, {})[str(key)] = str(group_id)
    edits = edit_verification.edits_of(list(tickets.values()))
    mandates: dict[int, list[VoteMandate]] = {}
    for mandate in VoteMandate.objects.filter(ticket__in=tickets.values()).order_by("pk"):
        mandates.setdefault(mandate.ticket_id, []).append(mandate)
    for replay in replays:
        ticket = tickets.get(replay.uid)
        if ticket is None:
            yield Break(TABLE, replay.uid, "the ticket of this chain is gone")
            continue
        yield from _ticket(replay, ticket)
        yield from _groups(replay, ticket, groups.get(ticket.pk, {}))
        mine = edits.get(ticket.pk, [])
        yield from _votes(
            replay,
            ticket,
            decisions.get(ticket.pk, []),
            mandates.get(ticket.pk, []),
            Parties(authors=frozenset(edit.person_id for edit in mine)),
        )
        yield from edit_verification.check(replay, ticket, mine)


def without_history() -> Iterator[Break]:
    """Tickets that no audit row opened."""
    keys: list[tuple[int, str]] = []
    for key, uid in Ticket.objects.order_by("pk").values_list("pk", "uid").iterator():
        keys.append((key, ticket_subject(uid)))
        if len(keys) == _CHUNK:
            yield from _unopened(keys)
            keys = []
    yield from _unopened(keys)


def _unopened(keys: list[tuple[int, str]]) -> Iterator[Break]:
    known = set(
        AuditEvent.objects.filter(subject__in=[subject for _, subject in keys]).values_list(
            "subject", flat=True
        )
    )
    for key, subject in keys:
        if subject not in known:
            yield Break(TABLE, str(key), "no audit row opened this ticket")


def _ticket(replay: Replay, ticket: Ticket) -> Iterator[Break]:
    key = str(ticket.pk)
    if f"{TABLE}:{key}" not in replay.attested:
        yield Break(TABLE, key, "its chain speaks of another row")
    if ticket.state != replay.state:
        yield Break(TABLE, key, f"it stands at {ticket.state}, its chain ends at {replay.state}")
    if ticket.version != replay.length:
        yield Break(
            TABLE, key, f"it is at version {ticket.version}, its chain has {replay.length} rows"
        )
    if ticket.fence != replay.fence:
        yield Break(TABLE, key, f"its fence is {ticket.fence}, its chain says {replay.fence}")
    try:
        bound = ticket_digest(ticket_binding(ticket, unseal(ticket.arguments)))
    except PayloadPurged:
        return
    except (SealBroken, TypeError, ValueError):
        yield Break(TABLE, key, "its arguments cannot be read to compute its digest")
        return
    if bound != bytes(ticket.digest):
        yield Break(TABLE, key, "its digest is not that of what it binds")


def _groups(replay: Replay, ticket: Ticket, found: dict[str, str]) -> Iterator[Break]:
    for key in sorted(replay.groups.keys() | found.keys(), key=int):
        if replay.groups.get(key) != found.get(key):
            yield Break(GROUPS, key, f"it is not as when ticket {ticket.pk} was opened")


def _votes(
    replay: Replay,
    ticket: Ticket,
    decisions: list[Decision],
    mandates: list[VoteMandate],
    parties: Parties,
) -> Iterator[Break]:
    """Every vote is in the chain, and the votes add up to what the chain says was decided."""
    by_key = {str(decision.pk): decision for decision in decisions}
    for key in by_key:
        if key not in replay.decisions:
            yield Break(DECISIONS, key, "no audit row speaks of this vote")
    if not {"approved", "rejected"} & set(replay.edges):
        return
    try:
        resolution = resolve(
            [
                Vote(
                    person=by_key[key].person_id,
                    answer=Answer(by_key[key].verdict),
                    digest=bytes(by_key[key].seen_digest),
                )
                for key in replay.decisions
                if key in by_key and by_key[key].revision == ticket.revision
            ],
            obligations=obligations_from(ticket.obligations),
            digest=bytes(ticket.digest),
            eligible=_electorate(by_key, mandates),
            parties=parties,
        )
    except Exception as problem:  # noqa: BLE001 (whatever is unreadable here is a finding)
        yield Break(TABLE, str(ticket.pk), f"its votes cannot be read: {problem}")
        return
    if resolution.state not in replay.edges:
        yield Break(
            TABLE,
            str(ticket.pk),
            f"its votes add up to {resolution.state} "
            f"({resolution.have} of {resolution.need} approvals)",
        )


def _electorate(
    decisions: dict[str, Decision], mandates: list[VoteMandate]
) -> dict[UUID, tuple[Mandate, ...]]:
    """Everybody who voted, by the mandates that were recorded with their votes."""
    people: dict[UUID, tuple[Mandate, ...]] = {
        decision.person_id: (Mandate(holder=decision.person_id),) for decision in decisions.values()
    }
    for mandate in mandates:
        decision = decisions[str(mandate.decision_id)]
        people[decision.person_id] = mandates_from(mandate.mandates)
    return people


def _is_uid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
