"""What sessions want of log messages."""

from uuid import uuid4

import pytest

from mcpbridge.calls.tool_call import LOG_LEVELS, BadMeta, is_wanted, request_meta
from mcpbridge.server.levels import LogLevels

KEY = "io.modelcontextprotocol/logLevel"


def test_a_level_is_told_to_the_agent_that_set_it_alone():
    levels, agent = LogLevels(), uuid4()
    levels.set("s", agent=agent, level="error")
    assert levels.of("s", agent=agent) == "error"
    assert levels.of("s", agent=uuid4()) == ""
    assert levels.of("t", agent=agent) == ""


def test_the_oldest_sessions_are_forgotten():
    levels, agent = LogLevels(most=2), uuid4()
    for session in "abc":
        levels.set(session, agent=agent, level="info")
    assert [levels.of(session, agent=agent) for session in "abc"] == ["", "info", "info"]


@pytest.mark.parametrize("least", LOG_LEVELS)
def test_a_message_is_wanted_from_the_level_on(least: str):
    wanted = [level for level in LOG_LEVELS if is_wanted(level, least)]
    assert wanted == list(LOG_LEVELS[LOG_LEVELS.index(least) :])


@pytest.mark.parametrize("level", [None, "", "loud", 3, ["info"]])
def test_a_level_that_does_not_exist_is_for_nobody(level: object):
    assert not is_wanted(level, "")


def test_a_request_names_its_level_or_none():
    assert request_meta({KEY: "notice"}).log_level == "notice"
    assert request_meta({}).log_level == ""
    for bad in ("loud", 3, []):
        with pytest.raises(BadMeta, match="one of debug"):
            request_meta({KEY: bad})
