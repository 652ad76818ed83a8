"""The ledger under random walks of agents, reviewers, workers, sweepers, operators and time.

Each planted bug takes one guard away; a walk that does not notice is itself broken.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError
from django.db.models import F, Q

from approvals import transitions
from approvals.domain import quorum
from approvals.domain.errors import AuditBroken
from approvals.domain.states import OPEN, State
from approvals.models import Decision, Gate, Ticket
from approvals.selectors import queues, votes
from approvals.services import gate, people, voting
from approvals.services import waiting as waiting_services
from approvals.transitions import deciding, ending, executing, primitive, settling
from approvals.transitions import gate as gate_rows
from tests.support import builders, rings
from tests.support.walks import LEASE, Ledger, walk


@pytest.fixture
def walking(real_db, settings):
    """A ledger whose leases are short, in which the owner of the agent reviews as well."""
    wired = ("attempts_allowed", "read_json")
    settings.APPROVALS_PORTS = {name: rings.PORTS[name] for name in wired}
    settings.APPROVALS_LEASE_SECONDS = LEASE
    settings.APPROVALS_HOLDER_LEASE_SECONDS = 20
    settings.APPROVALS_HANDOVER_SECONDS = 60
    cast = builders.a_cast()
    members = [user.person_id for user in (cast.alice, cast.bob, cast.carol)]
    people.set_members(group="reviewers", people=members)
    Ledger.cast = cast


@pytest.mark.timeout(600)
def test_no_walk_through_the_ledger_breaks_a_promise(walking):
    walk(examples=15)


# -- planted bugs: each takes one guard away -----------------------------------------------------


def nothing(*args, **arguments):
    """A guard that always holds."""
    return Q()


def no_fence(monkeypatch):
    monkeypatch.setattr(primitive, "NEXT_FENCE", F("fence"))
    for module in (executing, ending):
        monkeypatch.setattr(module, "NEXT_FENCE", F("fence"))


def claims_for_nobody(monkeypatch):
    monkeypatch.setattr(executing, "somebody_waits", nothing)


def approvals_live_for_ever(monkeypatch):
    monkeypatch.setattr(executing, "approval_live", nothing)


def leases_live_for_ever(monkeypatch):
    monkeypatch.setattr(executing, "lease_alive", nothing)


def leases_are_always_dead(monkeypatch):
    monkeypatch.setattr(executing, "lease_dead", nothing)
    monkeypatch.setattr(settling, "lease_dead", nothing)
    monkeypatch.setattr(queues, "sent_by_the_dead", lambda: Ticket.objects.filter(state="sent"))


def the_gate_is_never_shut(monkeypatch):
    def open_gate(**arguments):
        found = Gate.objects.get(pk=1)
        found.killed = False
        return found

    def open_facts():
        found = open_gate()
        return False, found.epoch, found.policy_id

    for module in (transitions, gate_rows):
        monkeypatch.setattr(module, "gate_for_share", open_gate)
        monkeypatch.setattr(module, "gate_facts_for_share", open_facts)


def whatever_was_sent_is_cancelled_too(monkeypatch):
    monkeypatch.setattr(ending, "CANCELLABLE", OPEN)
    monkeypatch.setattr(waiting_services, "CANCELLABLE", OPEN)
    monkeypatch.setattr(primitive, "edge_name", lambda source, target: "cancelled")


def one_approval_is_always_enough(monkeypatch):
    real = quorum.resolve

    def generous(votes, *, obligations, **arguments):
        return real(votes, obligations=replace(obligations, quorum=1), **arguments)

    monkeypatch.setattr(voting, "resolve", generous)


def owners_may_approve(monkeypatch):
    monkeypatch.setattr(quorum, "barred", lambda parties, obligations: frozenset())


def decisions_have_no_deadline(monkeypatch):
    monkeypatch.setattr(voting, "overdue", lambda ticket: False)
    monkeypatch.setattr(
        deciding, "as_seen", lambda revision, digest: Q(revision=revision, digest=digest)
    )
    monkeypatch.setattr(deciding, "DatabaseNow", lambda: datetime(2000, 1, 1, tzinfo=UTC))


def whatever_was_sent_runs_again(monkeypatch):
    def rerun(*, ticket_id, attempts_allowed, actor):
        return primitive.move(
            ticket_id=ticket_id,
            source=State.SENT,
            target=State.APPROVED,
            guard=primitive.lease_dead(),
            changes={"fence": primitive.NEXT_FENCE, **primitive.NO_CLAIM},
            actor=actor,
        )

    monkeypatch.setattr(transitions, "retry_sent", rerun)


def some_writes_leave_no_audit_row(monkeypatch):
    monkeypatch.setattr(primitive, "store", lambda event: event)


def un_kill_revives(monkeypatch):
    monkeypatch.setattr(gate, "cancel_all", lambda **arguments: 0)


def votes_survive_an_edit(monkeypatch):
    real = quorum.standing_votes

    def any_revision(given, *, digest):
        return real([replace(vote, digest=digest) for vote in given], digest=digest)

    def of_every_revision(ticket):
        return Decision.objects.filter(ticket=ticket).order_by("created_at", "id")

    monkeypatch.setattr(quorum, "standing_votes", any_revision)
    monkeypatch.setattr(votes, "decisions_of", of_every_revision)


APPROVED = ("submits_and_is_approved",)
RUN = (*APPROVED, "worker_looks", "workers_send")
# With each the steps that matter, and the number of walks that were seen to notice it.
PLANTED = {
    no_fence: (1, RUN),
    claims_for_nobody: (7, (*APPROVED, "worker_looks", "time_passes")),
    approvals_live_for_ever: (4, (*RUN, "time_passes")),
    leases_live_for_ever: (1, RUN),
    leases_are_always_dead: (5, (*RUN, "sweeps")),
    the_gate_is_never_shut: (1, (*RUN, "submits", "the_switch_is_turned")),
    whatever_was_sent_is_cancelled_too: (1, (*RUN, "leaves")),
    one_approval_is_always_enough: (3, ("submits", "votes_on")),
    owners_may_approve: (1, ("submits", "votes_on")),
    decisions_have_no_deadline: (6, ("submits", "votes_on", "time_passes")),
    whatever_was_sent_runs_again: (1, (*APPROVED, "a_worker_sends_and_dies")),
    some_writes_leave_no_audit_row: (1, RUN),
    votes_survive_an_edit: (6, ("submits", "votes_on", "edits")),
    un_kill_revives: (2, (*APPROVED, "the_switch_is_turned")),
}


def many_short_walks(known, focus):
    """One long series of walks can go on missing what many short ones soon come upon.

    The `known` one comes first; where the steps have changed since, another notices.
    """
    for seed in (known, *range(1, 40)):
        walk(examples=4, steps=20, focus=frozenset(focus), seeded=seed)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("bug", "known", "focus"),
    [(bug, *found) for bug, found in PLANTED.items()],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_a_walk_notices_the_planted_bug(walking, monkeypatch, bug, known, focus):
    bug(monkeypatch)
    with pytest.raises((AssertionError, DatabaseError, AuditBroken)):
        many_short_walks(known, focus)
