"""Agents: made, changed, disabled; every refusal; what a change takes away."""

from dataclasses import replace

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import AuditEvent
from mcpbridge.administration import AgentSettings, Refused, change_agent, create_agent
from mcpbridge.models import Agent
from tests.mcpbridge.administration.conftest import ACTOR
from tests.support.builders import Cast, a_ticket


def test_a_new_agent_stands_in_the_record(robo: Agent, cast: Cast):
    event = AuditEvent.objects.get(subject=f"agent:{robo.pk}")

    assert (event.action, event.actor) == ("agent_created", ACTOR)
    assert event.detail["owner"] == str(cast.alice.person_id)


@pytest.mark.parametrize(
    "name", ["", "Robo", "-robo", "robo-", "ro bo", "ro_bo", "röbo", "robo\n", "a" * 65, "new"]
)
def test_a_name_that_addresses_cannot_carry_is_refused(name: str, agent_settings: AgentSettings):
    with pytest.raises(Refused) as refused:
        create_agent(actor=ACTOR, name=name, settings=agent_settings)
    assert refused.value.field == "name"
    assert not Agent.objects.exists()


def test_a_taken_name_is_refused_and_nothing_else_is_kept(
    robo: Agent, agent_settings: AgentSettings
):
    events = AuditEvent.objects.count()

    with pytest.raises(Refused, match="already an agent named robo"):
        create_agent(actor=ACTOR, name="robo", settings=agent_settings)
    assert (Agent.objects.count(), AuditEvent.objects.count()) == (1, events)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"owner_id": uuid7()}, "owner"),
        ({"team_id": uuid7()}, "team"),
        ({"hold_seconds": -1}, "hold_seconds"),
        ({"hold_seconds": 3601}, "hold_seconds"),
        ({"grace_seconds": 0}, "grace_seconds"),
        ({"max_open_tickets": 0}, "max_open_tickets"),
        ({"max_open_tickets": 1001}, "max_open_tickets"),
    ],
)
def test_unknown_people_and_impossible_limits_are_refused(
    change: dict, field: str, robo: Agent, agent_settings: AgentSettings
):
    wrong = replace(agent_settings, **change)

    for attempt in (
        lambda: create_agent(actor=ACTOR, name="other", settings=wrong),
        lambda: change_agent(actor=ACTOR, agent_id=robo.pk, settings=wrong),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.field == field


def test_saving_what_is_already_so_moves_nothing(robo: Agent, agent_settings: AgentSettings):
    before = (api.gate().epoch, AuditEvent.objects.count())

    change_agent(actor=ACTOR, agent_id=robo.pk, settings=agent_settings)

    assert (api.gate().epoch, AuditEvent.objects.count()) == before


@pytest.mark.parametrize("what", ["disabled", "owner"])
def test_losing_its_owner_or_its_permission_ends_what_an_agent_has_open(
    what: str, cast: Cast, robo: Agent, agent_settings: AgentSettings
):
    walk = a_ticket(cast, agent_id=robo.pk).pending()
    epoch = api.gate().epoch
    changed = (
        replace(agent_settings, enabled=False)
        if what == "disabled"
        else replace(agent_settings, owner_id=cast.bob.person_id)
    )

    change_agent(actor=ACTOR, agent_id=robo.pk, settings=changed)

    assert walk.view.state is api.State.CANCELLED
    assert walk.view.cancel_reason is api.CancelReason.OPERATOR
    assert api.gate().epoch > epoch


@pytest.mark.parametrize("what", ["disabled", "owner"])
def test_only_disabling_an_agent_breaks_off_what_was_sent(
    what: str, cast: Cast, robo: Agent, agent_settings: AgentSettings
):
    walk = a_ticket(cast, agent_id=robo.pk).sent()
    disabled = replace(agent_settings, enabled=False)
    moved = replace(agent_settings, owner_id=cast.bob.person_id)

    change_agent(actor=ACTOR, agent_id=robo.pk, settings=disabled if what == "disabled" else moved)

    assert walk.view.state is api.State.SENT
    assert api.abort_wanted(walk.uid) is (what == "disabled")


def test_other_limits_leave_open_tickets_alone(
    cast: Cast, robo: Agent, agent_settings: AgentSettings
):
    walk = a_ticket(cast, agent_id=robo.pk).pending()

    change_agent(
        actor=ACTOR, agent_id=robo.pk, settings=replace(agent_settings, max_open_tickets=3)
    )

    assert walk.view.state is api.State.PENDING
    assert Agent.objects.get().max_open_tickets == 3
