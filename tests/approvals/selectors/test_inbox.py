"""What a person's lists hold, and what they cost."""

from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from approvals.domain.quorum import Answer, why_not
from approvals.models import Ticket
from approvals.presenters.calls import call_of
from approvals.presenters.rows import present_row
from approvals.selectors import inbox as lists
from approvals.selectors.counting import needs_count, next_needing
from approvals.selectors.inbox import inbox, needs_you, waiting_on_others
from approvals.selectors.listing import one_row
from approvals.selectors.readers import reviewer
from approvals.selectors.votes import eligible_people, obligations_of, parties_of, votes_of
from approvals.services import people, voting
from approvals.services.decisions import annotate_unknown
from tests.support.builders import NAMES, a_policy, a_ticket

pytestmark = pytest.mark.both_engines

A_CALL = call_of(agent="robo", upstream="files", tool="delete_file", table=None)


def uids(rows):
    return [row.ticket.uid for row in rows]


def test_what_waits_for_my_vote_needs_me(cast):
    walk = a_ticket(cast).pending()
    mine = inbox(reviewer(cast.bob.person, one_person=False))
    assert uids(mine.needs_you.rows) == [walk.uid]
    assert mine.needs_you.rows[0].groups == ("Reviewers",)
    assert (mine.needs_you.rows[0].standing.have, mine.needs_you.rows[0].standing.need) == (0, 1)
    assert not mine.waiting_on_others.rows
    assert mine.needs_you.next_after is None


def test_what_i_voted_on_waits_for_others(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    mine = inbox(reviewer(cast.bob.person, one_person=False))
    assert uids(mine.waiting_on_others.rows) == [walk.uid]
    assert mine.waiting_on_others.rows[0].standing.have == 1
    assert uids(inbox(reviewer(cast.carol.person, one_person=False)).needs_you.rows) == [walk.uid]


@pytest.mark.parametrize("who", ["alice", "dora"])
def test_who_cannot_vote_is_not_needed(cast, who):
    walk = a_ticket(cast).pending()
    mine = inbox(reviewer(getattr(cast, who).person, one_person=False))
    assert mine.needs_you.rows == ()
    assert uids(mine.waiting_on_others.rows) == [walk.uid]


def test_the_owner_is_needed_only_where_there_is_nobody_else(cast):
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    a_ticket(cast).pending()
    assert needs_count(reviewer(cast.alice.person, one_person=False)) == 0
    assert needs_count(reviewer(cast.alice.person, one_person=True)) == 1


def test_a_stranger_has_an_empty_inbox(cast):
    a_ticket(cast).pending()
    a_ticket(cast, arguments=b"{}").succeeded()
    mine = inbox(reviewer(cast.charlie.person, one_person=False))
    assert (mine.needs_you.rows, mine.waiting_on_others.rows, mine.decided) == ((), (), ())


def test_what_is_under_way_waits_for_others_and_what_is_over_is_decided(cast):
    sent = a_ticket(cast, arguments=b'{"n":1}').sent()
    done = a_ticket(cast, arguments=b'{"n":2}').succeeded()
    mine = inbox(reviewer(cast.bob.person, one_person=False))
    assert uids(mine.waiting_on_others.rows) == [sent.uid]
    assert uids(mine.decided) == [done.uid]


def test_an_unknown_outcome_needs_somebody_until_they_looked(cast):
    walk = a_ticket(cast).unknown()
    assert uids(inbox(reviewer(cast.bob.person, one_person=False)).needs_you.rows) == [walk.uid]
    assert inbox(reviewer(cast.alice.person, one_person=False)).needs_you.rows == ()
    annotate_unknown(uid=walk.uid, user=cast.carol, ran=True, evidence="saw it")
    mine = inbox(reviewer(cast.bob.person, one_person=False))
    assert mine.needs_you.rows == ()
    assert uids(mine.decided) == [walk.uid]


def test_the_nearest_deadline_comes_first(cast):
    late = a_ticket(cast, arguments=b'{"n":1}').pending()
    a_policy(approval_seconds=60)
    soon = a_ticket(cast, arguments=b'{"n":2}').pending()
    assert uids(inbox(reviewer(cast.bob.person, one_person=False)).needs_you.rows) == [
        soon.uid,
        late.uid,
    ]


def test_a_long_group_goes_on_by_key_in_the_order_of_deadline_and_risk(cast, monkeypatch):
    monkeypatch.setattr(lists, "GROUP_ROWS", 2)
    monkeypatch.setattr(lists, "bursts_among", lambda openings: ())
    a_ticket(cast, arguments=b'{"n":0}').unknown()
    a_ticket(cast, arguments=b'{"n":1}').pending()
    moment = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("approvals.services.new_ticket.after_seconds", lambda _: moment)
    a_ticket(cast, arguments=b'{"n":2}').pending()
    a_ticket(cast, arguments=b'{"n":3}').pending()
    a_ticket(cast, arguments='{"hidden":"\u202e"}'.encode()).pending()
    moment += timedelta(hours=1)
    a_ticket(cast, arguments=b'{"n":5}').pending()
    keys = list(Ticket.objects.order_by("pk").values_list("pk", flat=True))
    expected = [keys[0], keys[1], keys[4], keys[2], keys[3], keys[5]]

    mine = inbox(reviewer(cast.bob.person, one_person=False)).needs_you
    seen = [row.ticket.pk for row in mine.rows]
    while mine.next_after is not None:
        mine = needs_you(reviewer(cast.bob.person, one_person=False), after=mine.next_after)
        seen += [row.ticket.pk for row in mine.rows]
    assert seen == expected

    others = inbox(reviewer(cast.dora.person, one_person=False)).waiting_on_others
    seen = [row.ticket.pk for row in others.rows]
    while others.next_after is not None:
        others = waiting_on_others(
            reviewer(cast.dora.person, one_person=False), after=others.next_after
        )
        seen += [row.ticket.pk for row in others.rows]
    assert seen == expected


def test_of_equal_deadlines_the_riskier_call_comes_next(cast, monkeypatch):
    moment = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("approvals.services.new_ticket.after_seconds", lambda _: moment)
    decided = a_ticket(cast, arguments=b'{"n":1}').pending()
    a_ticket(cast, arguments=b'{"n":2}').pending()
    riskier = a_ticket(cast, arguments='{"hidden":"\u202e"}'.encode()).pending()

    who = reviewer(cast.bob.person, one_person=False)

    assert str(next_needing(who, after=decided.uid)) == str(riskier.uid)


def test_a_pages_key_of_a_ticket_that_is_gone_begins_anew(cast):
    walk = a_ticket(cast).pending()
    assert uids(needs_you(reviewer(cast.bob.person, one_person=False), after=10**9).rows) == [
        walk.uid
    ]


def test_what_needs_me_is_what_the_ledger_would_let_me_approve(cast):
    people.set_members(
        group="reviewers", people=[cast.alice.person_id, cast.bob.person_id, cast.carol.person_id]
    )
    a_policy(quorum=2, four_eyes=True)
    a_ticket(cast, arguments=b'{"n":1}').pending()
    a_ticket(cast, arguments=b'{"n":2}').approved_by(cast.bob)
    back = a_ticket(cast, arguments=b'{"n":3}').approved_by(cast.bob)
    voting.withdraw_vote(uid=back.uid, user=cast.bob, nonce="n")
    tickets = [
        (ticket, votes_of(ticket), obligations_of(ticket), eligible_people(ticket))
        for ticket in Ticket.objects.all()
    ]
    for name, one_person in product(NAMES, (False, True)):
        person = getattr(cast, name).person
        who = reviewer(person, one_person=one_person)
        mine = inbox(who)
        needed = set(uids(mine.needs_you.rows))
        for ticket, votes, obligations, eligible in tickets:
            refusal = why_not(
                person.pk,
                Answer.APPROVE,
                votes=votes,
                obligations=obligations,
                digest=bytes(ticket.digest),
                eligible=eligible,
                parties=parties_of(ticket, one_person=one_person),
            )
            assert (ticket.uid in needed) is (refusal is None), (name, one_person)
        assert not needed & set(uids(mine.waiting_on_others.rows)), name
        assert needs_count(who) == len(needed), name


def test_an_inbox_costs_the_same_whatever_it_holds(cast, django_assert_num_queries):
    def fill(start, many):
        for n in range(start, start + many):
            a_ticket(cast, arguments=b'{"p":%d}' % n, max_open_tickets=99).pending()
            a_ticket(cast, arguments=b'{"s":%d}' % n, max_open_tickets=99).sent()
            a_ticket(cast, arguments=b'{"d":%d}' % n, max_open_tickets=99).succeeded()

    fill(0, 2)
    # Who looks; the most pressing calls; where every other group begins; where to stop and the
    # keys of what is over; the rows with their groups and votes.
    queries = 8
    with django_assert_num_queries(queries):
        inbox(reviewer(cast.bob.person, one_person=False))
    fill(10, 5)
    with django_assert_num_queries(queries):
        mine = inbox(reviewer(cast.bob.person, one_person=False))
        for row in (*mine.needs_you.rows, *mine.waiting_on_others.rows, *mine.decided):
            present_row(row.ticket, A_CALL, have=row.standing.have, groups="", now=timezone.now())
            assert row.ticket.arguments.size


def test_one_row_can_be_fetched_again(cast):
    walk = a_ticket(cast).pending()
    assert one_row(reviewer(cast.bob.person, one_person=False), walk.uid).ticket.uid == walk.uid
    assert one_row(reviewer(cast.charlie.person, one_person=False), walk.uid) is None
