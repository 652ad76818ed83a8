"""The cast, an upstream of theirs, and robo, which alice answers for."""

import pytest

from mcpbridge.administration import (
    AgentSettings,
    UpstreamSettings,
    create_agent,
    create_upstream,
)
from mcpbridge.models import Agent, Upstream
from tests.support.builders import Cast, a_cast

ACTOR = "system:test"


@pytest.fixture
def cast(db: None) -> Cast:
    return a_cast()


@pytest.fixture
def agent_settings(cast: Cast) -> AgentSettings:
    return AgentSettings(owner_id=cast.alice.person_id, team_id=cast.team_id)


@pytest.fixture
def robo(agent_settings: AgentSettings) -> Agent:
    return create_agent(actor=ACTOR, name="robo", settings=agent_settings)


@pytest.fixture
def http_settings(cast: Cast) -> UpstreamSettings:
    return UpstreamSettings(
        transport="http",
        url="https://files.example.test/mcp",
        team_ids=frozenset({cast.team_id}),
    )


@pytest.fixture
def files(http_settings: UpstreamSettings) -> Upstream:
    return create_upstream(actor=ACTOR, name="files", settings=http_settings)
