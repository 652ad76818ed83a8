"""What a person's lists hold, and what they cost."""

import pytest

from approvals import api
from approvals.selectors import inbox as lists
from approvals.selectors.counting import needs_count
from approvals.selectors.inbox import decided, inbox, listed, tickets_for_lists
from approvals.services import people
from approvals.services.decisions import annotate_unknown
from tests.support.builders import a_policy, a_ticket

pytestmark = pytest.mark.both_engines


def uids(rows):
    return [row.ticket.uid for row in rows]


def test_what_waits_for_my_vote_needs_me(cast):
    walk = a_ticket(cast).pending()
    mine = inbox(cast.bob.person, one_person=False)
    assert uids(mine.needs_you) == [walk.uid]
    assert mine.needs_you[0].groups == ("Reviewers",)
    assert (mine.needs_you[0].standing.have, mine.needs_you[0].standing.need) == (0, 1)
    assert not mine.waiting_on_others
    assert not mine.more


def test_what_i_voted_on_waits_for_others(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    mine = inbox(cast.bob.person, one_person=False)
    assert uids(mine.waiting_on_others) == [walk.uid]
    assert mine.waiting_on_others[0].standing.have == 1
    assert uids(inbox(cast.carol.person, one_person=False).needs_you) == [walk.uid]


@pytest.mark.parametrize("who", ["alice", "dora"])
def test_who_cannot_vote_is_not_needed(cast, who):
    walk = a_ticket(cast).pending()
    mine = inbox(getattr(cast, who).person, one_person=False)
    assert mine.needs_you == ()
    assert uids(mine.waiting_on_others) == [walk.uid]


def test_the_owner_is_needed_only_where_there_is_nobody_else(cast):
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    a_ticket(cast).pending()
    assert needs_count(cast.alice.person, one_person=False) == 0
    assert needs_count(cast.alice.person, one_person=True) == 1


def test_a_stranger_has_an_empty_inbox(cast):
    a_ticket(cast).pending()
    a_ticket(cast, arguments=b"{}").succeeded()
    mine = inbox(cast.charlie.person, one_person=False)
    assert (mine.needs_you, mine.waiting_on_others, mine.decided) == ((), (), ())


def test_what_is_under_way_waits_for_others_and_what_is_over_is_decided(cast):
    sent = a_ticket(cast, arguments=b'{"n":1}').sent()
    done = a_ticket(cast, arguments=b'{"n":2}').succeeded()
    mine = inbox(cast.bob.person, one_person=False)
    assert uids(mine.waiting_on_others) == [sent.uid]
    assert uids(mine.decided) == [done.uid]


def test_an_unknown_outcome_needs_somebody_until_they_looked(cast):
    walk = a_ticket(cast).unknown()
    assert uids(inbox(cast.bob.person, one_person=False).needs_you) == [walk.uid]
    assert inbox(cast.alice.person, one_person=False).needs_you == ()
    annotate_unknown(uid=walk.uid, user=cast.carol, ran=True, evidence="saw it")
    mine = inbox(cast.bob.person, one_person=False)
    assert mine.needs_you == ()
    assert uids(mine.decided) == [walk.uid]


def test_the_nearest_deadline_comes_first(cast):
    late = a_ticket(cast, arguments=b'{"n":1}').pending()
    a_policy(approval_seconds=60)
    soon = a_ticket(cast, arguments=b'{"n":2}').pending()
    assert uids(inbox(cast.bob.person, one_person=False).needs_you) == [soon.uid, late.uid]


def test_an_inbox_that_is_too_long_says_so(cast, monkeypatch):
    monkeypatch.setattr(lists, "INBOX", 2)
    for number in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % number).pending()
    mine = inbox(cast.bob.person, one_person=False)
    assert (len(mine.needs_you), mine.more) == (2, True)


def test_an_inbox_costs_the_same_whatever_it_holds(cast, django_assert_num_queries):
    def fill(start):
        for n in range(start, start + 3):
            a_ticket(cast, arguments=b'{"p":%d}' % n, max_open_tickets=99).pending()
            a_ticket(cast, arguments=b'{"s":%d}' % n, max_open_tickets=99).sent()
            a_ticket(cast, arguments=b'{"d":%d}' % n, max_open_tickets=99).succeeded()

    fill(0)
    # Three lists with two prefetches each, the person's teams and groups, the keys of what is
    # over, and the members of the groups.
    queries = 13
    with django_assert_num_queries(queries):
        inbox(cast.bob.person, one_person=False)
    fill(10)
    with django_assert_num_queries(queries):
        mine = inbox(cast.bob.person, one_person=False)
        for row in (*mine.needs_you, *mine.waiting_on_others, *mine.decided):
            assert row.ticket.arguments.commitment
            assert row.ticket.team.name
            assert row.ticket.person.name


def test_pages_of_what_was_decided_go_by_key(cast):
    walks = [a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob) for n in range(5)]
    newest_first = [walk.uid for walk in reversed(walks)]
    first = decided(cast.bob.person, one_person=False, limit=2)
    second = decided(cast.bob.person, one_person=False, limit=2, before=first.next_before)
    third = decided(cast.bob.person, one_person=False, limit=2, before=second.next_before)
    assert uids((*first.rows, *second.rows, *third.rows)) == newest_first
    assert third.next_before is None


def test_a_full_last_page_has_no_page_after_it(cast):
    for n in range(2):
        a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob)
    assert decided(cast.bob.person, one_person=False, limit=2).next_before is None


def test_what_was_decided_can_be_narrowed(cast):
    rejected = a_ticket(cast, arguments=b'{"n":1}').rejected_by(cast.bob)
    done = a_ticket(cast, arguments=b'{"n":2}', tool_name="read_file").succeeded()
    a_ticket(cast, arguments=b'{"n":3}').pending()
    look = {"one_person": False}
    assert uids(decided(cast.bob.person, **look).rows) == [done.uid, rejected.uid]
    only = decided(cast.bob.person, **look, states=[api.State.REJECTED])
    assert uids(only.rows) == [rejected.uid]
    assert uids(decided(cast.bob.person, **look, tool="read_file").rows) == [done.uid]
    assert uids(decided(cast.bob.person, **look, agent="other").rows) == []
    assert decided(cast.charlie.person, **look).rows == ()


def test_an_open_state_is_never_decided(cast):
    a_ticket(cast).pending()
    page = decided(cast.bob.person, one_person=False, states=[api.State.PENDING])
    assert page.rows == ()


def test_a_page_costs_the_same_whatever_it_holds(cast, django_assert_num_queries):
    for n in range(6):
        a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob)
    for limit in (1, 6):
        with django_assert_num_queries(7):
            decided(cast.bob.person, one_person=False, limit=limit)


def test_an_admins_page_needs_no_look_at_teams_and_groups(cast, django_assert_num_queries):
    a_ticket(cast).rejected_by(cast.bob)
    with django_assert_num_queries(5):
        assert len(decided(cast.dora.person, one_person=False).rows) == 1


def test_one_row_can_be_fetched_again(cast):
    walk = a_ticket(cast).pending()
    tickets = list(tickets_for_lists(cast.bob.person).filter(uid=walk.uid))
    (row,) = listed(tickets, cast.bob.person, one_person=False)
    assert row.awaits_you
    assert not list(tickets_for_lists(cast.charlie.person).filter(uid=walk.uid))


def test_pages_for_a_group_outside_the_team_go_by_key_too(cast):
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[cast.charlie.person_id])
    a_ticket(cast, arguments=b'{"hidden":1}').rejected_by(cast.bob)
    a_policy(groups=["security", "reviewers"])
    walks = [a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob) for n in range(5)]
    seen, before = [], None
    while True:
        page = decided(cast.charlie.person, one_person=False, limit=2, before=before)
        seen += uids(page.rows)
        before = page.next_before
        if before is None:
            break
    assert seen == [walk.uid for walk in reversed(walks)]


def test_a_ticket_visible_for_three_reasons_is_listed_once(cast):
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    walk = a_ticket(cast).rejected_by(cast.alice)
    assert uids(decided(cast.alice.person, one_person=False).rows) == [walk.uid]
