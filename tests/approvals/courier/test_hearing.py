"""Telling people, from the rows to a mailbox: who hears of what, and what is never told."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from approvals import api, courier
from approvals.domain.telling import Kind
from approvals.models import GroupMembership, Lookout, Notice, TeamMembership, User, Watch
from approvals.services import gate, watching
from approvals.services.editing import edit_arguments
from approvals.services.notifications import tell
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.clock import later
from tests.support.telling import HOUR, habit, states, told, words

# -- who hears of a new ticket ---------------------------------------------------------------


@pytest.mark.both_engines
def test_reviewers_hear_of_a_ticket_and_nobody_else(cast: Cast):
    walk = a_ticket(cast).pending()
    said = told()
    assert said.keys() == {"bob", "carol"}
    assert said["bob"] == [f"Placet: Ticket #{walk.ticket.pk} waits for your decision"]
    assert f"/tickets/{walk.uid}/" in words()
    assert "robo → files / delete_file" in words()
    assert "?" not in words().rpartition("http")[2]  # the link carries nothing beside its path


def test_they_hear_of_it_once_however_often_somebody_looks(cast: Cast):
    a_ticket(cast).pending()
    assert told()
    assert told() == {}
    watching.watch()
    assert Notice.objects.filter(kind=Kind.NEEDS_YOU).count() == 1


def test_a_ticket_decided_before_the_round_is_told_to_nobody(cast: Cast):
    a_ticket(cast).approved_by(cast.bob)
    assert told() == {}


def test_whoever_voted_while_the_message_waited_is_not_told(cast: Cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    courier.look()
    walk.voted(cast.bob, api.Answer.APPROVE)
    assert told().keys() == {"carol"}
    assert states(channel__person=cast.bob.person) == {"dropped"}


def test_whoever_was_demoted_while_the_message_waited_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    GroupMembership.objects.filter(person=cast.bob.person).delete()
    TeamMembership.objects.filter(person=cast.bob.person).delete()
    assert told().keys() == {"carol"}


def test_whose_account_was_closed_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert told().keys() == {"carol"}


def test_a_named_stranger_is_not_told_of_a_ticket_they_may_not_see(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with transaction.atomic():
        tell(kind=Kind.ASKED, ticket=walk.ticket, people=[cast.charlie.person_id], occasion="1")
    assert told() == {}


def test_a_question_reaches_the_owner_and_not_whoever_asked(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    asked = [cast.alice.person_id, cast.bob.person_id]
    for _ in range(2):
        with transaction.atomic():
            tell(
                kind=Kind.ASKED,
                ticket=walk.ticket,
                people=asked,
                by=cast.bob.person_id,
                occasion="question 1",
            )
    question = f"Placet: A reviewer has a question about ticket #{walk.ticket.pk}"
    assert told() == {"alice": [question]}
    assert "By: bob" in words()


# -- reminders, ends, unknown outcomes, the kill switch ---------------------------------------


@pytest.mark.requirement("told-once")
@pytest.mark.both_engines
def test_at_half_time_one_reminder_comes_however_many_look(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with later(HOUR / 2 - 60):
        assert told() == {}
    with later(HOUR / 2 + 1):
        seen = list(watching._at_half_time())
        watching.watch()
        for late in seen:  # another worker that had found it due as well
            watching._remind(late)
        assert told() == {
            name: [f"Placet: Ticket #{walk.ticket.pk} still waits: half of its time is over"]
            for name in ("bob", "carol")
        }
        assert told() == {}
    assert Notice.objects.filter(kind=Kind.REMINDER).count() == 1


def test_nobody_is_reminded_of_what_was_decided(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.bob)
    with later(HOUR / 2 + 1):
        assert told() == {}


def test_nobody_is_reminded_of_what_is_too_late(cast: Cast):
    a_ticket(cast).pending()
    told()
    with later(HOUR + 1):
        assert told() == {}


def test_an_edited_call_asks_everybody_anew_and_reminds_them_anew(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with later(HOUR / 2 + 1):
        assert told().keys() == {"bob", "carol"}
        edit_arguments(
            uid=walk.uid,
            user=cast.bob,
            raw=b'{"path":"/tmp/b"}',
            seen_digest=bytes(walk.ticket.digest),
            reason="",
            nonce="1",
        )
        asked = [f"Placet: Ticket #{walk.ticket.pk} waits for your decision"]
        assert told() == {"bob": asked, "carol": asked}
        assert told() == {}
    with later(HOUR * 3 / 4 + 2):  # half of the time that was left
        assert told().keys() == {"bob", "carol"}
        assert told() == {}


def test_the_owner_and_voters_hear_how_it_ended_if_they_want(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    habit(cast.bob, silent_kinds=[])
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.bob)
    said = f"Placet: Ticket #{walk.ticket.pk} is over: Rejected"
    assert told() == {"alice": [said], "bob": [said]}
    assert told() == {}


def test_an_unknown_outcome_is_told_to_the_owner_and_whoever_can_find_out(cast: Cast):
    a_ticket(cast).unknown()
    assert told().keys() == {"alice", "bob", "carol"}
    assert "find out" in words()


def test_the_kill_switch_is_told_to_admins_and_reviewers_but_not_to_whoever_turned_it(cast: Cast):
    gate.kill(user=cast.dora)
    assert told().keys() == {"bob", "carol"}
    gate.unkill(user=cast.dora)
    assert told()["bob"] == ["Placet: Calls run again"]


@pytest.mark.requirement("told-whatever-is-lost")
def test_tickets_that_no_worker_saw_open_are_told_of_all_the_same(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    rejected = a_ticket(cast, arguments=b'{"n":1}').rejected_by(cast.bob)
    waits = a_ticket(cast, arguments=b'{"n":2}').pending()
    said = told()
    assert said["alice"] == [f"Placet: Ticket #{rejected.ticket.pk} is over: Rejected"]
    assert said["bob"] == [f"Placet: Ticket #{waits.ticket.pk} waits for your decision"]


def test_what_ended_a_day_ago_is_no_news(cast: Cast):
    habit(cast.alice, silent_kinds=[])
    a_ticket(cast).rejected_by(cast.bob)
    with later(25 * HOUR):
        assert told() == {}


def test_watches_are_forgotten_once_everything_was_said(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "SLACK", 0)
    Lookout.objects.update(reached=0)
    a_ticket(cast).rejected_by(cast.bob)
    told()
    assert Watch.objects.count() == 1
    with later(120):
        a_ticket(cast, arguments=b'{"n":2}').pending()
        told()
    assert not Watch.objects.filter(over=True).exists()
    assert told() == {}


def test_looking_costs_the_same_with_many_tickets(cast: Cast):
    def looked() -> int:
        with CaptureQueriesContext(connection) as few:
            courier.look()
            courier.carry()
        return len(few)

    a_ticket(cast, arguments=b'{"n":0}').pending()
    told()
    one = looked()
    for n in range(1, 6):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    told()
    assert looked() == one
