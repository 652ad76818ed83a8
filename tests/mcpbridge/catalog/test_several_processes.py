"""A tool list that another process read at the same moment, and wrote down first."""

from __future__ import annotations

from typing import Any

import pytest

from mcpbridge.catalog import catalog as catalog_module
from mcpbridge.catalog.catalog import catalog
from mcpbridge.catalog.listing import resolve, tools_for
from mcpbridge.catalog.recording import Recorded, record_list
from mcpbridge.offload import in_database
from tests.support.bridge import Bridge

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]


@pytest.fixture
def another_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this process reads has just been written by another one."""

    def second(**read: Any) -> Recorded:
        record_list(**read)
        recorded = record_list(**read)
        assert not recorded.moved
        return recorded

    monkeypatch.setattr(catalog_module, "record_list", second)


@pytest.mark.usefixtures("another_is_first")
async def test_a_tool_that_another_process_pinned_first_is_known_here(bridge: Bridge) -> None:
    principal = await in_database(bridge.principal)
    assert not (await catalog().snapshot()).tools
    tool = await resolve(principal, "witness__write_note")
    assert tool is not None
    assert tool.name == "write_note"


@pytest.mark.usefixtures("another_is_first")
async def test_a_list_shows_the_tools_that_another_process_pinned_first(bridge: Bridge) -> None:
    principal = await in_database(bridge.principal)
    assert not (await catalog().snapshot()).tools
    names = [tool.exposed_name for tool in await tools_for(principal)]
    assert "witness__write_note" in names
