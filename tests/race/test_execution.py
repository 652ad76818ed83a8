"""Kill, claim, send, cancel and grants at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

import pytest
from django.db import connection, transaction

from approvals import transitions
from approvals.audit.verification import verify
from approvals.domain.errors import KillSwitchOn
from approvals.domain.states import CancelReason, State
from approvals.models import Gate, Grant, Ticket
from tests.support import ledger
from tests.support.racing import ROUNDS, WON, assert_one_winner_each, race

pytestmark = [pytest.mark.both_engines, pytest.mark.timeout(600)]
BY = "system:test"


def sending(ticket):
    return {
        "ticket_id": ticket.pk,
        "fence": ticket.fence,
        "digest": bytes(ticket.digest),
        "tool_digest": bytes(ticket.tool_digest),
        "upstream_digest": bytes(ticket.upstream_digest),
        "epoch": ticket.gate_epoch,
        "actor": BY,
    }


def send(ticket):
    with transaction.atomic():
        transitions.send(**sending(ticket))


def set_kill(killed):
    with transaction.atomic():
        transitions.set_kill(killed=killed, person_id=None, actor=BY)


def test_of_two_claimers_exactly_one_gets_the_ticket(cast):
    with transaction.atomic():
        tickets = [ledger.an_approved(cast) for _ in range(ROUNDS)]
    claimers = [lambda ticket, name=name: ledger.claim(ticket, worker=name) for name in "ab"]
    assert_one_winner_each(race(tickets, claimers))
    assert set(Ticket.objects.values_list("fence", flat=True)) == {1}
    assert verify() == []


def test_a_ticket_is_cancelled_or_sent_but_never_both(cast):
    with transaction.atomic():
        tickets = [ledger.a_claimed(cast) for _ in range(ROUNDS)]

    def cancel(ticket):
        with transaction.atomic():
            transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.WITHDRAWN, actor=BY)

    assert_one_winner_each(race(tickets, [send, cancel]))
    assert verify() == []


def test_after_the_kill_switch_answered_no_further_send_commits(cast):
    seen_after_kill = {}

    def kill(ticket):
        set_kill(True)
        seen_after_kill[ticket.pk] = ledger.state_of(ticket)

    for _ in range(ROUNDS // 4):
        ticket = ledger.a_claimed(cast)
        race([ticket], [send, kill])
        assert ledger.state_of(ticket) is seen_after_kill[ticket.pk]
        with pytest.raises(KillSwitchOn):
            send(ledger_claimed_before_the_kill(cast))
        set_kill(False)
    assert verify() == []


def ledger_claimed_before_the_kill(cast):
    """A ticket that was claimed while the switch was off, under the epoch of today."""
    set_kill(False)
    ticket = ledger.a_claimed(cast)
    set_kill(True)
    Ticket.objects.filter(pk=ticket.pk).get()
    return ticket


def test_the_kill_switch_waits_for_a_send_that_has_read_the_gate(cast):
    ticket = ledger.a_claimed(cast)
    asked = threading.Event()

    def kill():
        try:
            asked.set()
            set_kill(True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            transitions.gate_for_share()
            killing = pool.submit(kill)
            assert asked.wait(10)
            with pytest.raises(TimeoutError):
                killing.result(0.5)
            transitions.send(**sending(ticket))
        killing.result(30)
    assert ledger.state_of(ticket) is State.SENT
    assert Gate.objects.get().killed


def test_a_grant_is_never_used_more_often_than_it_may_be(cast):
    grant = ledger.a_grant(cast, ledger.a_pending(cast), max_uses=7)
    tickets = iter([ledger.an_unsaved_ticket(cast) for _ in range(40)])
    rounds = list(batched(tickets, 4))

    def use(number):
        def open_one(tickets):
            with transaction.atomic():
                transitions.open_by_grant(
                    ticket=tickets[number],
                    group_ids=[cast.group.pk],
                    grant_id=grant.pk,
                    execution_seconds=60,
                    actor=ledger.AGENT,
                )

        return open_one

    results = race(rounds, [use(number) for number in range(4)])
    assert sum(result.count(WON) for result in results) == 7
    assert Grant.objects.get(pk=grant.pk).uses == 7
    assert Ticket.objects.filter(grant=grant).count() == 7
    assert verify() == []


def test_revoking_a_grant_and_using_it_are_one_after_the_other(cast):
    made_from = ledger.a_pending(cast)
    grants = [ledger.a_grant(cast, made_from, max_uses=9) for _ in range(40)]
    rounds = [(grant, ledger.an_unsaved_ticket(cast)) for grant in grants]

    def use(each):
        with transaction.atomic():
            transitions.open_by_grant(
                ticket=each[1],
                group_ids=[],
                grant_id=each[0].pk,
                execution_seconds=60,
                actor=ledger.AGENT,
            )

    def revoke(each):
        with transaction.atomic():
            transitions.revoke_grant(grant_id=each[0].pk, person_id=None, actor=BY)

    results = race(rounds, [use, revoke])
    assert {result[1] for result in results} == {WON}
    for (grant, _), result in zip(rounds, results, strict=True):
        assert Grant.objects.get(pk=grant.pk).uses == (result[0] == WON)
    assert verify() == []
