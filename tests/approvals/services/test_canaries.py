"""Tests among the tickets: they look like any, never run, and end with the first vote."""

import pytest
from django.db import DatabaseError, connection, transaction
from uuid6 import uuid7

from approvals import api, transitions
from approvals.audit.sealing import unseal
from approvals.audit.verification import verify
from approvals.domain.pins import Terms
from approvals.domain.quorum import Answer
from approvals.domain.traps import Trap, sprung
from approvals.models import AuditEvent, Canary, Grant, Ticket
from approvals.selectors.history import agent_activity, earlier_decisions
from approvals.services.canaries import CanaryRefused, OnlyAdminsSeed, seed_canary
from approvals.services.decisions import decide
from approvals.services.figures import ledger_figures
from approvals.services.grants import Wanted
from tests.support import rings
from tests.support.builders import a_policy, a_ticket, killed
from tests.support.clock import later

CALL = b'{"path":"/tmp/report.txt","url":"https://files.example.test/a"}'


def seeded(cast, trap=Trap.HOST, right=Answer.REJECT, **changes):
    """A test seeded by dora, like a call that ran."""
    past = a_ticket(cast, arguments=CALL).succeeded()
    api.mark_delivered(past.uid)
    given = {"user": cast.dora, "like": past.uid, "trap": trap, "right": right, **changes}
    return Ticket.objects.get(uid=seed_canary(**given))


def vote(ticket, user, answer, **changes):
    return decide(
        uid=ticket.uid,
        user=user,
        verdict=answer,
        seen_digest=bytes(ticket.digest),
        reason="",
        nonce=str(uuid7()),
        **changes,
    )


@pytest.mark.parametrize(
    ("trap", "shown"),
    [
        (Trap.HOST, "https://f\u0456les.example.test/a"),
        (Trap.HIDDEN, "/tmp/re\u200bport.txt"),
        (Trap.PATH, "/tmp/../../../../etc/shadow"),
    ],
)
def test_a_test_is_a_past_call_with_its_trap_set(cast, trap, shown):
    ticket = seeded(cast, trap)
    assert ticket.state == "pending"
    assert shown in unseal(ticket.arguments).decode()
    assert ticket.agent_id == cast.robo
    assert ticket.repeat_key not in list(
        Ticket.objects.exclude(pk=ticket.pk).values_list("repeat_key", flat=True)
    )


@pytest.mark.requirement("canary-never-runs")
def test_an_approval_ends_a_test_and_approves_nothing(cast, django_capture_on_commit_callbacks):
    ticket = seeded(cast)
    rings.forget()
    with django_capture_on_commit_callbacks(execute=True):
        decided = vote(ticket, cast.bob, Answer.APPROVE)
    ticket.refresh_from_db()
    assert decided.kind == "canary"
    assert (ticket.state, ticket.cancel_reason) == ("cancelled", "canary")
    assert rings.rung_approved == []
    assert ticket.uid not in api.executable()
    assert verify() == []


def test_a_rejection_ends_a_test_as_it_ends_any_ticket(cast):
    ticket = seeded(cast)
    assert vote(ticket, cast.bob, Answer.REJECT).kind == "rejected"
    ticket.refresh_from_db()
    assert ticket.state == "rejected"
    assert verify() == []


def test_one_vote_ends_a_test_even_where_two_are_asked_for(cast):
    a_policy(quorum=2)
    ticket = seeded_under_two(cast)
    assert vote(ticket, cast.bob, Answer.APPROVE).kind == "canary"


def seeded_under_two(cast):
    past = a_ticket(cast, arguments=CALL).approved_by(cast.bob, cast.carol)
    uid = seed_canary(user=cast.dora, like=past.uid, trap=Trap.HOST, right=Answer.REJECT)
    return Ticket.objects.get(uid=uid)


def test_a_test_becomes_no_grant(cast):
    ticket = seeded(cast)
    terms = Terms(session_only=False, free=(), max_uses=1, seconds=60)
    assert vote(ticket, cast.bob, Answer.APPROVE, grant=Wanted(terms=terms)).grant is None
    assert not Grant.objects.exists()


@pytest.mark.requirement("canary-never-runs")
@pytest.mark.parametrize(
    "changes",
    [
        "state = 'approved', execution_expires_at = approval_expires_at",
        "state = 'claimed'",
        "state = 'sent'",
        "state = 'succeeded'",
    ],
)
def test_the_database_lets_no_test_be_approved_claimed_or_sent(cast, changes):
    ticket = seeded(cast)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE approvals_ticket SET {changes}, version = version + 1 WHERE id = %s",
            [ticket.pk],
        )


@pytest.mark.requirement("canary-never-runs")
def test_the_database_refuses_an_approval_that_the_code_would_let_pass(cast):
    ticket = seeded(cast)
    _voted(ticket, cast)
    with pytest.raises(DatabaseError, match="canary never runs"), transaction.atomic():
        transitions.approve(
            ticket_id=ticket.pk,
            revision=1,
            digest=bytes(ticket.digest),
            execution_seconds=60,
            actor="system:test",
        )


def _voted(ticket, cast):
    """A stored vote to approve, as a mistake in the services might leave it."""
    ticket.decisions.create(
        revision=1,
        person_id=cast.bob.person_id,
        user=cast.bob,
        verdict="approve",
        seen_digest=bytes(ticket.digest),
        nonce="n",
    )


def test_only_what_is_new_and_pending_can_be_marked_as_a_test(cast):
    real = a_ticket(cast, arguments=CALL).approved_by(cast.bob).ticket
    given = {"trap": "past", "right": "reject", "explanation": ""}
    with pytest.raises(DatabaseError, match="canary marks"), transaction.atomic():
        Canary.objects.create(ticket=real, seeded_by=cast.dora.person, **given)


def test_a_test_expires_quietly_and_nobody_is_missed(cast):
    ticket = seeded(cast)
    api.sweep()
    ticket.refresh_from_db()
    assert ticket.state == "pending"
    with later(3601):
        api.sweep()
    ticket.refresh_from_db()
    assert ticket.state == "expired"


def test_the_record_says_who_seeded_it_and_like_what(cast):
    ticket = seeded(cast)
    event = AuditEvent.objects.get(subject=f"canary:{ticket.uid}")
    assert (event.actor, event.action) == (f"person:{cast.dora.person_id}", "seeded")
    opened = AuditEvent.objects.get(subject=f"ticket:{ticket.uid}", seq=1)
    assert opened.actor == f"person:{cast.dora.person_id}"
    assert verify() == []


def test_a_test_changed_by_hand_is_found(cast):
    ticket = seeded(cast)
    canary = Canary.objects.get(ticket=ticket)
    canary.right = "approve"
    with pytest.raises(DatabaseError), transaction.atomic():
        canary.save()


def test_tests_count_neither_as_open_calls_nor_in_figures(cast):
    seeded(cast)
    assert ledger_figures()["tickets_pending"] == 0
    walk = a_ticket(cast, arguments=b'{"n":1}', max_open_tickets=1).pending()
    assert walk.submitted.kind == "opened"


def test_a_test_that_was_revealed_is_no_deed_of_its_agent(cast):
    ticket = seeded(cast)
    walk = a_ticket(cast, arguments=b'{"n":1}').pending()

    def known():
        return agent_activity(walk.ticket, cast.bob.person)

    assert known().paused == 3, "one that waits does not stand out"
    vote(ticket, cast.bob, Answer.REJECT)
    found = known()
    assert (found.paused, found.rejected, found.tool_rejected) == (2, 0, 0)
    assert ticket not in earlier_decisions(walk.ticket, cast.bob.person)


def test_only_admins_seed(cast):
    for user in (cast.bob, cast.charlie):
        with pytest.raises(OnlyAdminsSeed):
            seeded(cast, user=user)
    assert not Canary.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"right": Answer.APPROVE}, "only a rejection"),
        ({"trap": Trap.PAST, "right": Answer.WITHDRAW}, "only a rejection"),
        ({"like": uuid7()}, "no such ticket"),
        ({"explanation": "x" * 501}, "at most 500"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(cast, changes, words):
    with pytest.raises(CanaryRefused, match=words):
        seeded(cast, **changes)


def test_a_trap_that_fits_nowhere_is_refused(cast):
    past = a_ticket(cast, arguments=b'{"n":1}').pending()
    given = {"user": cast.dora, "like": past.uid, "right": Answer.REJECT}
    with pytest.raises(CanaryRefused, match="fits this trap"):
        seed_canary(**given, trap=Trap.HOST)


def test_a_call_that_policy_asks_nobody_about_makes_no_test(cast):
    past = a_ticket(cast, arguments=CALL).pending()
    api.publish_policy(document={"rules": [{"name": "all", "effect": "allow"}]})
    with pytest.raises(CanaryRefused, match="give itself away"):
        seed_canary(user=cast.dora, like=past.uid, trap=Trap.HOST, right=Answer.REJECT)


def test_while_everything_is_stopped_nothing_is_seeded(cast):
    past = a_ticket(cast, arguments=CALL).pending()
    killed(cast)
    with pytest.raises(api.KillSwitchOn):
        seed_canary(user=cast.dora, like=past.uid, trap=Trap.PAST, right=Answer.REJECT)


def test_traps_leave_alone_what_they_do_not_fit():
    nested = {"n": 1, "in": [{"note": "x"}, {"host": "api.example.test"}]}
    assert sprung(nested, Trap.HOST) == {
        "n": 1,
        "in": [{"note": "x"}, {"host": "\u0430pi.example.test"}],
    }
    assert sprung(nested, Trap.PATH) is None
    assert sprung({"n": 1}, Trap.HIDDEN) is None
    assert sprung(nested, Trap.PAST) == nested
