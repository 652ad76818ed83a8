"""A flood is one row, rejected as one: each call by a vote of its own, the agent paused first."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from uuid6 import uuid7

from approvals import api
from approvals.audit.verification import verify
from approvals.domain.bursts import Opening, bursts_among
from approvals.domain.errors import NotEligible, NotVisible
from approvals.models import AgentPause, AuditEvent, Decision, Ticket
from approvals.selectors.inbox import inbox
from approvals.selectors.readers import reviewer
from approvals.services import bursts, people
from approvals.services.bursts import reject_and_pause
from tests.support.builders import a_policy, a_ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AGENT, UPSTREAM = uuid7(), uuid7()


def openings(*minutes, tool="delete", agent=AGENT):
    return [
        Opening(
            key=int(minute * 100),
            agent_id=agent,
            agent_name="robo",
            upstream_id=UPSTREAM,
            upstream_name="files",
            tool_name=tool,
            at=NOW + timedelta(minutes=minute),
            deadline=NOW + timedelta(minutes=minute + 60),
            risk="low",
            arguments=uuid7(),
        )
        for minute in minutes
    ]


def test_five_calls_of_one_tool_within_minutes_are_a_burst_and_four_are_not():
    (burst,) = bursts_among(openings(0, 1, 2, 3, 4))
    assert (len(burst.openings), burst.tool_name) == (5, "delete")
    assert (burst.first, burst.last) == (NOW, NOW + timedelta(minutes=4))
    assert bursts_among(openings(0, 1, 2, 3)) == ()


def test_the_fifth_call_makes_a_burst_until_the_window_is_over():
    assert bursts_among(openings(0, 1, 2, 3, 5)) != ()
    assert bursts_among(openings(0, 1, 2, 3, 5.01)) == ()


def test_calls_that_come_now_and_then_are_no_burst():
    assert bursts_among(openings(0, 10, 20, 30, 40, 50, 60)) == ()


def test_other_calls_of_a_flooding_tool_belong_to_its_burst():
    (burst,) = bursts_among(openings(0, 100, 101, 102, 103, 104))
    assert len(burst.openings) == 6


def test_each_agent_and_tool_is_looked_at_by_itself():
    calls = openings(0, 1, 2, tool="a") + openings(0, 1, 2, tool="b")
    assert bursts_among(calls + openings(0, 1, agent=uuid7())) == ()


def test_an_agent_that_floods_with_many_tools_is_one_burst():
    calls = [call for n in range(15) for call in openings(n / 10, tool=f"t{n}")]
    (burst,) = bursts_among(calls)
    assert (len(burst.openings), burst.tool_name, burst.upstream_id) == (15, "", None)


@pytest.fixture
def flood(cast):
    """Six calls of one tool at once, and one of another."""
    walks = [a_ticket(cast, arguments=b'{"path":"/%d"}' % n).pending() for n in range(6)]
    other = a_ticket(cast, tool_name="read_file").pending()
    return cast, walks, other


def swat(cast, user=None, **changes):
    given = {
        "agent_id": cast.robo,
        "upstream_id": cast.files,
        "tool_name": "delete_file",
        "up_to": Ticket.objects.latest("pk").pk,
        "user": user or cast.bob,
        "reason": "Stop it.",
        "nonce": "n1",
    }
    return reject_and_pause(**{**given, **changes})


@pytest.mark.both_engines
def test_a_flood_stands_apart_and_the_rest_of_the_inbox_stays_readable(flood):
    cast, _, other = flood
    mine = inbox(reviewer(cast.bob.person, one_person=False))
    assert [row.ticket.uid for row in mine.needs_you.rows] == [other.uid]
    (burst,) = mine.bursts
    assert (len(burst.openings), burst.tool_name) == (6, "delete_file")
    assert inbox(reviewer(cast.charlie.person, one_person=False)).bursts == ()


@pytest.mark.both_engines
def test_all_are_rejected_by_one_vote_each_and_the_agent_is_paused(flood):
    cast, walks, other = flood
    epoch = api.gate().epoch
    done = swat(cast)
    assert (done.rejected, done.refused, done.left) == (6, 0, 0)
    assert {walk.ticket.state for walk in walks} == {"rejected"}
    assert other.ticket.state == "pending"
    assert Decision.objects.filter(verdict="reject", user=cast.bob).count() == 6
    assert {walk.view.reason for walk in walks} == {"Stop it."}
    assert api.gate().epoch > epoch
    with pytest.raises(api.AgentPaused):
        a_ticket(cast, arguments=b'{"path":"/new"}').pending()
    assert verify() == []


def test_nobody_else_s_calls_are_rejected_and_nobody_else_is_paused(flood):
    cast, *_ = flood
    other = {"agent_id": uuid7(), "agent_name": "other"}
    beside = [
        a_ticket(cast, **other).pending(),
        a_ticket(cast, upstream_id=uuid7(), arguments=b'{"path":"/u"}').pending(),
    ]
    assert swat(cast).rejected == 6
    assert {walk.ticket.state for walk in beside} == {"pending"}
    assert list(api.paused_agents()) == [cast.robo]
    assert a_ticket(cast, arguments=b"{}", **other).pending().submitted.kind == "opened"


def test_a_call_that_came_after_the_page_is_left_for_another_look(flood):
    cast, walks, other = flood
    late = a_ticket(cast, arguments=b'{"path":"/late"}').pending()
    done = swat(cast, up_to=other.ticket.pk)
    assert (done.rejected, done.refused, done.left) == (6, 0, 1)
    assert {walk.ticket.state for walk in walks} == {"rejected"}
    assert late.ticket.state == "pending"


def test_the_agent_is_paused_before_the_first_call_is_rejected(flood, monkeypatch):
    cast, *_ = flood
    seen = []

    def looking(**vote):
        seen.append(cast.robo in api.paused_agents())
        return decide(**vote)

    decide = bursts.decide
    monkeypatch.setattr(bursts, "decide", looking)
    swat(cast)
    assert seen == [True] * 6


def test_words_that_are_too_long_reject_nothing_and_pause_nobody(flood):
    with pytest.raises(api.ReasonTooLong):
        swat(flood[0], reason="x" * 2001)
    assert not Decision.objects.exists()
    assert not AgentPause.objects.exists()


@pytest.mark.both_engines
def test_the_same_request_again_decides_nothing_twice(flood):
    cast, *_ = flood
    swat(cast)
    assert swat(cast).rejected == 0
    assert Decision.objects.count() == 6
    assert AgentPause.objects.count() == 1


def test_a_large_flood_takes_several_acts(flood, monkeypatch):
    cast, *_ = flood
    monkeypatch.setattr("approvals.services.bursts.AT_ONCE", 4)
    assert (swat(cast).left, swat(cast).left) == (2, 0)


def test_who_has_no_vote_rejects_nothing_and_pauses_nobody(flood):
    cast, walks, _ = flood
    for user, error in ((cast.charlie, NotVisible), (cast.alice, NotEligible)):
        with pytest.raises(error):
            swat(cast, user)
    assert {walk.ticket.state for walk in walks} == {"pending"}
    assert not AgentPause.objects.exists()


def test_a_vote_on_the_oldest_of_many_calls_is_enough_to_pause(cast):
    a_ticket(cast).pending()
    people.ensure_group(slug="theirs")
    people.set_members(group="theirs", people=[cast.charlie.person_id])
    a_policy(groups=["theirs"])
    for n in range(21):
        a_ticket(cast, arguments=b'{"n":%d}' % n, max_open_tickets=99).pending()
    assert swat(cast).rejected == 1


@pytest.mark.both_engines
def test_a_paused_agent_goes_on_when_who_paused_it_or_an_admin_says_so(flood):
    cast, *_ = flood
    api.pause_agent(agent_id=cast.robo, user=cast.bob)
    repeated = a_ticket(cast, arguments=b'{"path":"/1"}').pending()
    assert repeated.submitted.kind == "attached"
    for user in (cast.carol, cast.alice):
        with pytest.raises(NotVisible):
            api.resume_agent(agent_id=cast.robo, user=user)
    assert api.paused_agents()[cast.robo].by == "bob"
    assert api.resume_agent(agent_id=cast.robo, user=cast.dora)
    assert not api.resume_agent(agent_id=cast.robo, user=cast.dora)
    assert a_ticket(cast, arguments=b'{"path":"/new"}').pending().ticket.state == "pending"
    acts = AuditEvent.objects.filter(subject=f"agent:{cast.robo}").order_by("seq")
    assert list(acts.values_list("action", flat=True)) == ["paused", "resumed"]
    assert verify() == []


@pytest.mark.both_engines
def test_the_database_keeps_a_pause_as_it_was(flood):
    cast, *_ = flood
    api.pause_agent(agent_id=cast.robo, user=cast.dora)
    rows = AgentPause.objects.all()
    for change in (lambda: rows.update(agent_id=uuid7()), rows.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert Ticket.objects.filter(state="pending").count() == 7
