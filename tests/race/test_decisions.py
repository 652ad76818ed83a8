"""Two reviewers at the same moment: one outcome, one audit row, and never a late approval."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from approvals import api, transitions
from approvals.audit.verification import verify
from approvals.domain.errors import StaleState
from approvals.domain.quorum import Answer
from approvals.domain.states import State
from approvals.models import AuditEvent, Ticket, database_now
from tests.support import ledger
from tests.support.racing import ROUNDS, assert_one_winner_each, race
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_engines, pytest.mark.timeout(600)]


def deciding(user, answer):
    def decide(ticket):
        return api.decide(
            uid=ticket.uid,
            user=user,
            verdict=answer,
            seen_digest=bytes(ticket.digest),
            reason="",
            nonce=f"{user.pk}",
        )

    return decide


def test_races_of_approve_and_reject_have_exactly_one_winner_each(cast):
    with transaction.atomic():
        tickets = [ledger.a_pending(cast) for _ in range(ROUNDS)]
    contenders = [deciding(cast.bob, Answer.APPROVE), deciding(cast.carol, Answer.REJECT)]
    results = race(tickets, contenders)
    assert_one_winner_each(results)
    assert {result for pair in results for result in pair} == {"won", "already_decided"}
    states = dict(Ticket.objects.values_list("pk", "state"))
    chains: dict[str, list[str]] = {}
    for subject, action in AuditEvent.objects.order_by("seq").values_list("subject", "action"):
        chains.setdefault(subject, []).append(action)
    for ticket, (approving, _) in zip(tickets, results, strict=True):
        outcome = "approved" if approving == "won" else "rejected"
        assert states[ticket.pk] == outcome
        assert chains[f"ticket:{ticket.uid}"] == ["opened", "voted", outcome]


def test_the_same_race_notices_a_decision_that_reads_and_then_saves(cast):
    tickets = [ledger.a_pending(cast) for _ in range(20)]
    for ticket in tickets:
        ledger.vote(ticket, cast.bob)
        ledger.vote(ticket, cast.carol, "reject")
    both_have_read = threading.Barrier(2)

    def planted(state):
        def decide(ticket):
            row = Ticket.objects.get(pk=ticket.pk)
            if row.state != State.PENDING:
                raise StaleState
            both_have_read.wait(60)
            row.state, row.version = state, row.version + 1
            row.execution_expires_at = row.ended_at = database_now()
            if state is State.APPROVED:
                row.ended_at = None
            row.save()

        return decide

    without_the_databases_own_guards()
    results = race(tickets, [planted(State.APPROVED), planted(State.REJECTED)])
    with pytest.raises(AssertionError, match="winners per round"):
        assert_one_winner_each(results)


def without_the_databases_own_guards():
    """The code's own guard is what is tested: the triggers would refuse the second write."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE approvals_ticket DISABLE TRIGGER USER")
            return
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name}")


def test_two_votes_of_one_person_with_two_accounts_count_once(cast):
    second = type(cast.bob).objects.create_user("bob.too@example.test", person=cast.bob.person)
    tickets = [ledger.a_pending(cast, obligations={"quorum": 2}) for _ in range(ROUNDS // 4)]
    results = race(tickets, [deciding(cast.bob, Answer.APPROVE), deciding(second, Answer.APPROVE)])
    assert_one_winner_each(results)
    assert set(Ticket.objects.values_list("state", flat=True)) == {"pending"}


@pytest.mark.parametrize("holder_writes", [False, True], ids=["locks", "writes"])
def test_an_approval_that_waited_for_the_row_past_the_deadline_is_refused(cast, holder_writes):
    for seconds in (1.5, 6, 24):  # a slow machine may begin to approve when all is over
        ticket = ledger.a_pending(cast, approval_seconds=seconds)
        ledger.vote(ticket, cast.bob)
        began_in_time = approves_beside_a_holder(ticket, holder_writes)
        assert ledger.state_of(ticket) is State.PENDING
        if began_in_time:
            return
    pytest.fail("no approval began before its deadline")


def approves_beside_a_holder(ticket, holder_writes):
    """Approve while somebody keeps the row past the deadline; whether it began before that."""
    held = threading.Event()

    def hold():
        try:
            with transaction.atomic():
                Ticket.objects.select_for_update().get(pk=ticket.pk)
                if holder_writes:
                    transitions.count_request(ticket_id=ticket.pk, actor=ledger.AGENT)
                held.set()
                eventually(lambda: database_now() > ticket.approval_expires_at, why="deadline")
        finally:
            connection.close()

    def approve():
        try:
            held.wait(30)
            with transaction.atomic():
                began_in_time = database_now() < ticket.approval_expires_at or waits_for_its_turn()
                with pytest.raises(StaleState):
                    transitions.approve(
                        ticket_id=ticket.pk,
                        revision=1,
                        digest=bytes(ticket.digest),
                        execution_seconds=60,
                        actor="person:bob",
                    )
                return began_in_time
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        holding, approving = pool.submit(hold), pool.submit(approve)
        began_in_time = approving.result(60)
        holding.result(60)
    return began_in_time


def waits_for_its_turn():
    """On SQLite a writer's transaction begins when the other's is over."""
    return connection.vendor == "sqlite"


def test_expiry_and_approval_never_both_happen(cast):
    with transaction.atomic():
        tickets = [ledger.a_pending(cast, approval_seconds=1) for _ in range(60)]

    def expire(ticket):
        with transaction.atomic():
            transitions.expire(ticket_id=ticket.pk, actor="system:sweeper")

    results = race(tickets, [deciding(cast.bob, Answer.APPROVE), expire])
    for ticket, result in zip(tickets, results, strict=True):
        assert result.count("won") <= 1
        if result[0] == "won":
            assert ledger.state_of(ticket) is State.APPROVED
    assert verify() == []
