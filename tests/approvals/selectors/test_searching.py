"""What the history finds, in which order, for whom, and what it costs."""

from datetime import timedelta

import pytest
from django.utils import timezone
from uuid6 import uuid7

from approvals.domain.states import State
from approvals.models import Ticket
from approvals.selectors import walks
from approvals.selectors.readers import reviewer
from approvals.selectors.searching import history
from approvals.selectors.wanted import OVER, Wanted
from approvals.services import naming, people
from tests.support.builders import a_policy, a_ticket
from tests.support.record import a_hand_at_the_console

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def names_of_other_tests_are_forgotten():
    """Theirs were rolled back, which nothing told the process."""
    naming._noted.clear()


@pytest.fixture
def tickets(cast):
    """Five tickets that differ in what can be asked for, by a name of their own."""
    a_ticket(cast, arguments=b'{"n":0}', tool_name="read_file").pending()
    found = {
        "done": a_ticket(cast, arguments=b'{"n":1}').succeeded(),
        "refused": a_ticket(cast, arguments=b'{"n":2}').rejected_by(cast.carol),
        "hidden": a_ticket(cast, arguments='{"x":"\u202e"}'.encode()).pending(),
        "other": a_ticket(
            cast, arguments=b'{"n":4}', agent_name="Stra\u00dfenbot", upstream_name="streets",
            tool_name="close_street", person_id=cast.bob.person_id,
        ).pending(),
    }  # fmt: skip
    return {name: walk.ticket.pk for name, walk in found.items()}


def keys(user, wanted=None, **asked):
    found = history(reviewer(user.person, one_person=False), wanted or Wanted(**asked))
    return [row.ticket.pk for row in found.rows]


ASKED = (
    ({"words": "STREET"}, ["other"]),
    ({"words": "stras"}, ["other"]),  # its letters folded
    ({"words": "close"}, ["other"]),
    ({"words": "bob"}, ["other"]),
    ({"words": "nowhere"}, []),
    ({"agent": "stra"}, ["other"]),
    ({"upstream": "files", "states": frozenset({State.REJECTED})}, ["refused"]),
    ({"tool": "delete", "risk": "high"}, ["hidden"]),
    ({"tool": "delete_file", "owner": "alice@example.test"}, ["hidden", "refused", "done"]),
    ({"owner": "carol"}, []),
    ({"reviewer": "carol"}, ["refused"]),
    ({"reviewer": "bob"}, ["done"]),
    ({"reviewer": "nobody"}, []),
    ({"states": frozenset({State.SUCCEEDED, State.REJECTED})}, ["refused", "done"]),
    ({"risk": "high"}, ["hidden"]),
    ({"agent": "robo", "tool": "close_street"}, []),
)


def test_each_filter_narrows_to_what_it_says(cast, tickets):
    for user in (cast.bob, cast.dora):
        for asked, expected in ASKED:
            found = keys(user, **asked)
            assert found == [tickets[name] for name in expected], (user.email, asked)


@pytest.mark.parametrize("far", [5000, 1])
def test_the_same_is_found_whichever_way_leads_there(cast, tickets, far, monkeypatch):
    monkeypatch.setattr(walks, "LOOK", far)
    wanted = Wanted(tool="delete")
    seen, before = [], None
    for _ in range(10):
        found = history(reviewer(cast.bob.person, one_person=False), wanted, before=before)
        seen += [row.ticket.pk for row in found.rows]
        before = found.page.next_before
        if before is None:
            break
    assert seen == [tickets[name] for name in ("hidden", "refused", "done")]


def test_a_ticket_is_found_by_its_number_by_who_may_see_it(cast, tickets):
    assert keys(cast.bob, number=tickets["done"]) == [tickets["done"]]
    assert keys(cast.bob, number=10**18) == []
    assert keys(cast.charlie, number=tickets["done"]) == []


def test_times_bound_what_is_found(cast, tickets):
    hour = timedelta(hours=1)
    now = timezone.now()
    assert len(keys(cast.bob, since=now - hour, until=now + hour)) == 5
    assert keys(cast.bob, since=now + hour) == []
    assert keys(cast.bob, until=now - hour) == []


def test_times_bound_what_is_found_where_numbers_are_out_of_their_order(cast):
    late, early, middle = (
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending().ticket for n in range(3)
    )
    with a_hand_at_the_console():
        for ticket, minutes in ((late, 120), (middle, 90)):
            at = early.created_at + timedelta(minutes=minutes)
            Ticket.objects.filter(pk=ticket.pk).update(created_at=at)
    hour = early.created_at + timedelta(hours=1)
    assert keys(cast.bob, until=hour) == [early.pk]
    assert keys(cast.bob, since=hour) == [middle.pk, late.pk]


def test_neither_near_nor_far_back_does_anybody_find_what_they_may_not_see(cast, monkeypatch):
    people.ensure_group(slug="theirs")
    people.set_members(group="theirs", people=[cast.charlie.person_id])
    team = people.ensure_team(slug="theirs", default_group="theirs")
    mine = [a_ticket(cast, arguments=b'{"n":%d}' % n).pending().ticket.pk for n in range(2)]
    a_ticket(cast, team_id=team, agent_id=uuid7(), arguments=b'{"n":9}').pending()
    assert keys(cast.bob) == keys(cast.bob, tool="delete") == mine[::-1]
    monkeypatch.setattr(walks, "LOOK", 1)
    seen, before = [], None
    for _ in range(5):
        found = history(
            reviewer(cast.bob.person, one_person=False), Wanted(tool="delete"), before=before
        )
        seen += [row.ticket.pk for row in found.rows]
        before = found.page.next_before
        if before is None:
            break
    assert seen == mine[::-1]


def test_nothing_wanted_is_everything_visible_newest_first(cast, tickets):
    everything = keys(cast.bob)
    assert len(everything) == 5
    assert everything == sorted(everything, reverse=True) == keys(cast.dora)
    assert keys(cast.charlie) == []


def test_a_group_outside_the_team_finds_only_what_it_is_asked_about(cast, tickets):
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[cast.charlie.person_id])
    a_policy(groups=["security", "reviewers"])
    mine = [a_ticket(cast, arguments=b'{"m":%d}' % n).rejected_by(cast.bob) for n in range(3)]
    expected = [walk.ticket.pk for walk in reversed(mine)]
    assert keys(cast.charlie) == keys(cast.charlie, tool="delete_file") == expected
    assert keys(cast.charlie, OVER) == expected


def test_a_ticket_visible_for_three_reasons_is_found_once(cast):
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    walk = a_ticket(cast).rejected_by(cast.alice)
    assert keys(cast.alice) == keys(cast.alice, words="a") == [walk.ticket.pk]


def test_a_page_that_looked_at_enough_says_how_far_and_goes_on(cast, monkeypatch):
    monkeypatch.setattr(walks, "LOOK", 3)
    walks_ = [a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob) for n in range(4)]
    for n in range(4):
        a_ticket(cast, arguments=b'{"p":%d}' % n).pending()
    wanted = Wanted(risk="high", states=frozenset())
    found = history(reviewer(cast.dora.person, one_person=False), wanted)
    assert found.rows == ()
    assert found.page.looked_to == found.page.next_before > walks_[-1].ticket.pk
    last = history(reviewer(cast.dora.person, one_person=False), wanted, before=walks_[1].ticket.pk)
    assert (last.page.looked_to, last.page.next_before) == (None, None)


def test_a_full_last_page_has_no_page_after_it(cast):
    for n in range(2):
        a_ticket(cast, arguments=b'{"n":%d}' % n).rejected_by(cast.bob)
    page = history(reviewer(cast.bob.person, one_person=False), Wanted(), limit=2).page
    assert (len(page.keys), page.next_before) == (2, None)


def test_a_word_that_stands_for_many_names_says_so(cast, monkeypatch):
    monkeypatch.setattr("approvals.selectors.criteria.MOST_NAMES", 1)
    for n in range(3):
        a_ticket(cast, tool_name="tool" + "x" * n, arguments=b'{"n":%d}' % n).pending()
    found = history(reviewer(cast.bob.person, one_person=False), Wanted(tool="tool"))
    assert [row.ticket.tool_name for row in found.rows] == ["tool"]  # the shortest name
    assert found.page.left_off


def test_names_and_people_of_others_are_neither_counted_nor_in_the_way(cast, monkeypatch):
    monkeypatch.setattr("approvals.selectors.criteria.MOST_NAMES", 1)
    theirs = people.ensure_team(slug="theirs", default_group="reviewers")
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    people.set_members(team="ops", people=[cast.alice.person_id, cast.bob.person_id])
    other = {"team_id": theirs, "person_id": cast.charlie.person_id}
    for n in range(3):
        a_ticket(cast, tool_name="tool" + "x" * n, arguments=b'{"n":%d}' % n, **other).pending()
    mine = a_ticket(cast, tool_name="tool_of_ops").rejected_by(cast.carol)
    bob, dora = (reviewer(user.person, one_person=False) for user in (cast.bob, cast.dora))
    for wanted in (Wanted(tool="tool"), Wanted(owner="a"), Wanted(words="tool")):
        found = history(bob, wanted)
        assert [row.ticket.pk for row in found.rows] == [mine.ticket.pk]
        assert not found.page.left_off
        assert history(dora, wanted).page.left_off


def test_a_page_costs_the_same_however_many_there_are(cast, django_assert_num_queries):
    def fill(start, many):
        for n in range(start, start + many):
            a_ticket(cast, arguments=b'{"n":%d}' % n, max_open_tickets=99).rejected_by(cast.bob)
            a_ticket(cast, arguments=b'{"p":%d}' % n, max_open_tickets=99).pending()

    fill(0, 1)
    for start, many in ((0, 0), (10, 4)):
        fill(start, many)
        for wanted in (Wanted(), OVER, Wanted(words="file"), Wanted(reviewer="bob", tool="delete")):
            # Who looks, where to stop and the keys; the rows with their groups and votes; names
            # and people where they are asked for.
            queries = 6 + bool(wanted.words) * 2 + bool(wanted.tool) + bool(wanted.reviewer)
            with django_assert_num_queries(queries):
                history(reviewer(cast.bob.person, one_person=False), wanted)
