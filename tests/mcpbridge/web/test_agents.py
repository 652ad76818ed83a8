"""Agents and their tokens by clicking."""

import re
from typing import Any

import pytest
from django.test import Client

from approvals import api
from approvals.models import AuditEvent
from mcpbridge.administration import UpstreamSettings, create_upstream
from mcpbridge.models import Agent, AgentToken
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to, text_of


def fields(cast: Cast, **changes: Any) -> dict[str, Any]:
    return {
        "name": "helper",
        "owner": str(cast.alice.person_id),
        "team": str(cast.team_id),
        "enabled": "on",
        "grace_seconds": 30,
        "max_open_tickets": 20,
        **changes,
    }


def test_an_agent_is_added_and_recorded_as_the_admins_act(admin: Client, cast: Cast):
    answer = admin.post("/manage/agents/new/", fields(cast), follow=True)

    assert "helper exists. Issue a token" in text_of(answer.content)
    event = AuditEvent.objects.get(action="agent_created")
    assert event.actor == f"person:{cast.dora.person_id}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Not A Name"}, "The name must be 1 to 64 lower-case"),
        ({"name": "robo"}, "There is already an agent named robo"),
        ({"owner": "nobody"}, "Select a valid choice"),
        ({"team": ""}, "This field is required"),
        ({"hold_seconds": 3601}, "less than or equal to 3600"),
        ({"grace_seconds": 0}, "greater than or equal to 1"),
    ],
)
def test_an_agent_that_cannot_be_is_refused_beside_its_field(
    change: dict[str, Any], words: str, admin: Client, cast: Cast, robo: Agent
):
    answer = admin.post("/manage/agents/new/", fields(cast, **change))

    assert answer.status_code == 422
    assert words in text_of(answer.content)
    assert Agent.objects.count() == 1


def test_saving_an_agents_page_untouched_changes_nothing(admin: Client, cast: Cast, robo: Agent):
    before = api.gate().epoch

    answer = admin.post("/manage/agents/robo/", fields(cast))

    assert (answer.status_code, api.gate().epoch) == (302, before)


def test_disabling_an_agent_ends_what_it_has_open(admin: Client, cast: Cast, robo: Agent):
    walk = a_ticket(cast, agent_id=robo.pk).pending()
    without = fields(cast)
    del without["enabled"]

    admin.post("/manage/agents/robo/", without)

    assert not Agent.objects.get().enabled
    assert walk.view.state is api.State.CANCELLED
    assert "disabled" in text_of(admin.get("/manage/agents/robo/").content)


def test_a_refused_change_is_shown_and_not_made(admin: Client, cast: Cast, robo: Agent):
    answer = admin.post("/manage/agents/robo/", fields(cast, max_open_tickets=1001))

    assert answer.status_code == 422
    assert "less than or equal to 1000" in text_of(answer.content)
    assert Agent.objects.get().max_open_tickets == 20


def test_a_token_is_shown_once_and_nowhere_else(admin: Client, cast: Cast, robo: Agent):
    answer = admin.post("/manage/agents/robo/tokens/", {"label": "laptop", "days": 30})

    found = re.search(r"placet_[\w-]{43}", answer.content.decode())
    assert found is not None
    assert "no-store" in answer["Cache-Control"]
    page = admin.get("/manage/agents/robo/").content.decode()
    assert found.group() not in page
    assert f"…{found.group()[-4:]}" in page
    token = AgentToken.objects.get()
    assert (token.label, token.issued_by_id) == ("laptop", cast.dora.person_id)


def test_an_agent_s_token_decides_nothing(admin: Client, cast: Cast, robo: Agent):
    shown = admin.post("/manage/agents/robo/tokens/", {"label": "laptop", "days": 30})
    found = re.search(r"placet_[\w-]{43}", shown.content.decode())
    assert found is not None
    walk = a_ticket(cast).pending()
    ballot = {"nonce": "n", "seen_digest": bytes(walk.ticket.digest).hex()}

    for verdict in ("approve", "reject"):
        answer = Client().post(
            f"/tickets/{walk.uid}/decide/",
            {"verdict": verdict, **ballot},
            headers={"Authorization": f"Bearer {found.group()}"},
        )
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")
    assert (walk.ticket.state, walk.ticket.version) == ("pending", 1)


@pytest.mark.parametrize("asked", [{"days": 0}, {"days": 367}, {}, {"days": 5, "label": "x" * 81}])
def test_a_token_without_an_end_or_with_a_long_label_is_refused(
    asked: dict[str, Any], admin: Client, robo: Agent
):
    assert admin.post("/manage/agents/robo/tokens/", asked).status_code == 422
    assert not AgentToken.objects.exists()


def test_a_token_is_issued_for_one_upstream_of_the_agents_team(
    admin: Client, cast: Cast, robo: Agent
):
    for name, teams in (("git", {cast.team_id}), ("secret", set())):
        settings = UpstreamSettings(
            transport="http", url=f"https://{name}.example.com/mcp", team_ids=frozenset(teams)
        )
        create_upstream(actor="system:test", name=name, settings=settings)
    page = text_of(admin.get("/manage/agents/robo/").content)
    assert "only http://127.0.0.1:8000/mcp/u/git" in page
    assert "/mcp/u/secret" not in page

    asked = {"days": 5, "audience": "http://127.0.0.1:8000/mcp/u/git"}
    answer = admin.post("/manage/agents/robo/tokens/", asked)

    assert "to http://127.0.0.1:8000/mcp/u/git" in text_of(answer.content)
    assert AgentToken.objects.get().audience == asked["audience"]
    assert "only http://127.0.0.1:8000/mcp/u/git" in text_of(
        admin.get("/manage/agents/robo/").content
    )


@pytest.mark.parametrize("upstream", ["/mcp/u/secret", "https://evil.example.com/mcp"])
def test_a_token_is_not_issued_for_an_address_that_was_not_offered(
    upstream: str, admin: Client, robo: Agent
):
    asked = {"days": 5, "audience": upstream}
    assert admin.post("/manage/agents/robo/tokens/", asked).status_code == 422
    assert not AgentToken.objects.exists()


def test_a_disabled_agent_gets_no_token(admin: Client, robo: Agent):
    Agent.objects.update(enabled=False)

    answer = admin.post("/manage/agents/robo/tokens/", {"days": 5})

    assert answer.status_code == 422
    assert "Agent robo is disabled" in text_of(answer.content)


def test_a_token_is_revoked_from_its_row(admin: Client, robo: Agent):
    admin.post("/manage/agents/robo/tokens/", {"days": 5})
    form = form_to(admin.get("/manage/agents/robo/").content, "/end/")

    answer = admin.post(form.action, form.values(), follow=True)

    assert "Revoked" in text_of(answer.content)
    assert AgentToken.objects.get().revoked_at is not None


def test_another_agents_token_is_not_found_under_this_name(admin: Client, cast: Cast, robo: Agent):
    admin.post("/manage/agents/new/", fields(cast))
    admin.post("/manage/agents/helper/tokens/", {"days": 5})
    token = AgentToken.objects.get()

    assert admin.post(f"/manage/agents/robo/tokens/{token.pk}/end/").status_code == 404
    assert AgentToken.objects.get().revoked_at is None
