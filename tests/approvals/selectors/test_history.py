"""What happened before, to whom it may be told, and what that costs."""

import pytest

from approvals.selectors.history import (
    agent_activity,
    audit_events,
    last_approved_like,
    timeline,
)
from approvals.services import people
from tests.support.builders import a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def test_a_timeline_is_the_tickets_chain_in_order(cast):
    walk = a_ticket(cast).succeeded()
    events = list(timeline(walk.ticket))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.action for event in events] == [
        "opened",
        "voted",
        "approved",
        "claimed",
        "sent",
        "succeeded",
    ]


def test_the_last_call_like_this_is_the_newest_that_was_approved(cast):
    a_ticket(cast, arguments=b'{"n":1}').succeeded()
    second = a_ticket(cast, arguments=b'{"n":2}').succeeded()
    a_ticket(cast, arguments=b'{"n":3}').rejected_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":4}', tool_name="read_file").succeeded()
    now = a_ticket(cast, arguments=b'{"n":5}').pending()
    assert last_approved_like(now.ticket, cast.bob.person) == second.ticket


def test_the_last_call_like_this_is_only_told_to_who_may_see_it(cast):
    a_ticket(cast, arguments=b'{"n":1}').succeeded()
    now = a_ticket(cast, arguments=b'{"n":2}').pending()
    assert last_approved_like(now.ticket, cast.charlie.person) is None


def test_an_agents_hour_counts_what_it_asked_for(cast):
    a_ticket(cast, arguments=b'{"n":1}').succeeded()
    a_ticket(cast, arguments=b'{"n":2}').rejected_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":3}').unknown()
    a_ticket(cast, arguments=b'{"n":4}', tool_name="read_file").succeeded()
    now = a_ticket(cast, arguments=b'{"n":5}').pending()
    found = agent_activity(now.ticket, cast.bob.person)
    assert (found.paused, found.approved, found.rejected) == (5, 3, 1)
    assert (found.tool_approved, found.tool_rejected, found.tool_unknown) == (2, 1, 1)
    with later(3700):
        found = agent_activity(now.ticket, cast.bob.person)
    assert (found.paused, found.tool_approved) == (0, 2)
    assert agent_activity(now.ticket, cast.charlie.person).paused == 0


def test_an_agents_hour_costs_two_queries(cast, django_assert_num_queries):
    walk = a_ticket(cast).pending()
    ticket = walk.ticket
    with django_assert_num_queries(2):
        agent_activity(ticket, cast.bob.person)


def test_the_whole_record_is_for_admins_and_auditors(cast):
    walk = a_ticket(cast).succeeded()
    people.ensure_person(email="charlie@example.test", is_auditor=True)
    cast.charlie.person.refresh_from_db()
    for user in (cast.dora, cast.charlie):
        events, _ = audit_events(user.person, limit=3)
        assert len(events) == 3
    for user in (cast.alice, cast.bob):
        assert audit_events(user.person) == ([], None)
    mine, more = audit_events(cast.dora.person, subject=f"ticket:{walk.uid}")
    assert {event.subject for event in mine} == {f"ticket:{walk.uid}"}
    assert more is None


def test_the_record_is_read_by_key(cast):
    a_ticket(cast).succeeded()
    seen, before = [], None
    while True:
        events, before = audit_events(cast.dora.person, before=before, limit=4)
        seen += [event.pk for event in events]
        if before is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert seen[-1] == min(seen)
