"""The cast and an auditor, signed in; an upstream with tools; hints to workers as a list."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from approvals import api
from approvals.models import User
from mcpbridge.administration import (
    AgentSettings,
    UpstreamSettings,
    create_agent,
    create_upstream,
)
from mcpbridge.catalog.recording import record_list
from mcpbridge.models import Agent, ToolPin, Upstream
from mcpbridge.web import upstreams
from tests.support.builders import Cast, a_cast

ACTOR = "system:test"
type SignIn = Callable[[User | None], Client]


@pytest.fixture
def cast(db: None) -> Cast:
    return a_cast()


@pytest.fixture
def auditor(cast: Cast) -> User:
    api.ensure_person(email="otto@example.test", name="otto", is_auditor=True)
    return User.objects.select_related("person").get(email="otto@example.test")


@pytest.fixture
def signed_in() -> SignIn:
    def sign_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def admin(cast: Cast, signed_in: SignIn) -> Client:
    return signed_in(cast.dora)


@pytest.fixture(autouse=True)
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The upstreams whose tools a worker was asked to read."""
    asked: list[str] = []
    monkeypatch.setattr(upstreams.refresh_catalog, "delay", asked.append)
    return asked


@pytest.fixture
def robo(cast: Cast) -> Agent:
    settings = AgentSettings(owner_id=cast.alice.person_id, team_id=cast.team_id)
    return create_agent(actor=ACTOR, name="robo", settings=settings)


@pytest.fixture
def files(cast: Cast) -> Upstream:
    """An upstream whose first tools were pinned at first contact."""
    found = create_upstream(
        actor=ACTOR,
        name="files",
        settings=UpstreamSettings(
            transport="http",
            url="https://files.example.test/mcp",
            team_ids=frozenset({cast.team_id}),
            pin_on_first_contact=True,
        ),
    )
    offered(found, a_tool("delete_file"), a_tool("read_file"))
    return found


def a_tool(name: str, description: str = "Does it.", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}, **more}


def offered(upstream: Upstream, *tools: dict[str, Any]) -> None:
    """The upstream lists exactly these tools."""
    record_list(upstream_id=upstream.pk, config_digest=bytes(upstream.config_digest), tools=tools)


def pin_of(name: str) -> ToolPin:
    return ToolPin.objects.get(name=name)
