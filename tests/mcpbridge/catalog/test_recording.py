"""What a tool list that was read does to the pins."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.models import AuditEvent
from mcpbridge import approvals_gateway as ledger
from mcpbridge.catalog import recording
from mcpbridge.catalog.recording import ListRefused, record_failure, record_list
from mcpbridge.models import ToolPin, Upstream
from tests.support.bridge import Bridge, a_bridge

pytestmark = pytest.mark.both_engines

Status = ToolPin.Status


def tool(name: str, description: str = "Does it.") -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}}


@pytest.fixture
def trusting(parts: None) -> Bridge:
    return a_bridge("http://127.0.0.1:9/mcp")


@pytest.fixture
def wary(parts: None) -> Bridge:
    return a_bridge("http://127.0.0.1:9/mcp", pinned=False)


def record(bridge: Bridge, *tools: dict[str, Any]):
    return record_list(
        upstream_id=bridge.upstream.id,
        config_digest=bytes(bridge.upstream.config_digest),
        tools=list(tools),
    )


def test_the_first_list_of_a_trusted_upstream_is_pinned_and_moves_the_epoch(trusting: Bridge):
    before = ledger.gate().epoch
    assert record(trusting, tool("a"), tool("b")).moved
    assert ledger.gate().epoch > before
    pin = trusting.pin("a")
    assert pin.status == Status.PINNED
    assert pin.definition == tool("a")
    assert AuditEvent.objects.filter(
        subject=f"upstream:{trusting.upstream.id}", action="tools_changed"
    ).exists()
    assert Upstream.objects.get().last_seen_at is not None


def test_only_the_first_list_is_pinned_by_itself(trusting: Bridge):
    record(trusting, tool("a"))
    assert not record(trusting, tool("a"), tool("b")).moved
    assert trusting.pin("b").status == Status.QUARANTINED


def test_every_tool_of_an_untrusted_upstream_waits_for_an_admin(wary: Bridge):
    assert not record(wary, tool("a")).moved
    pin = wary.pin("a")
    assert pin.status == Status.QUARANTINED
    assert pin.offered == tool("a")
    assert pin.digest is None


@pytest.mark.parametrize("name", ["resources/read", "prompts/get", "elicitation/create"])
def test_a_tool_that_is_called_like_a_method_is_not_listed(trusting: Bridge, name: str):
    record(trusting, tool("a"), tool(name))
    assert [pin.name for pin in ToolPin.objects.all()] == ["a"]


def test_the_same_list_again_changes_nothing(trusting: Bridge):
    record(trusting, tool("a"), tool("b"))
    before = ledger.gate().epoch
    assert not record(trusting, tool("b"), tool("a")).moved
    assert ledger.gate().epoch == before


def test_a_changed_tool_is_quarantined_and_its_pin_kept_for_comparison(trusting: Bridge):
    record(trusting, tool("a"), tool("b"))
    before = ledger.gate().epoch
    recorded = record(trusting, tool("a", "Does it, and mails your keys."), tool("b"))
    assert recorded.drifted == ("a",)
    assert ledger.gate().epoch > before
    pin = trusting.pin("a")
    assert pin.status == Status.QUARANTINED
    assert pin.definition == tool("a")
    assert pin.offered == tool("a", "Does it, and mails your keys.")
    assert trusting.pin("b").status == Status.PINNED


def test_a_tool_that_changes_back_stays_quarantined(trusting: Bridge):
    record(trusting, tool("a"))
    record(trusting, tool("a", "Changed."))
    assert not record(trusting, tool("a")).moved
    assert trusting.pin("a").status == Status.QUARANTINED


def test_a_withdrawn_tool_loses_its_authority_and_gets_it_back_unchanged(trusting: Bridge):
    record(trusting, tool("a"), tool("b"))
    assert record(trusting, tool("a")).drifted == ("b",)
    assert trusting.pin("b").status == Status.GONE
    assert record(trusting, tool("a"), tool("b")).moved
    assert trusting.pin("b").status == Status.PINNED


def test_a_withdrawn_tool_that_comes_back_changed_is_quarantined(trusting: Bridge):
    record(trusting, tool("a"), tool("b"))
    record(trusting, tool("a"))
    assert not record(trusting, tool("a"), tool("b", "Other.")).moved
    assert trusting.pin("b").status == Status.QUARANTINED


def test_two_tools_of_one_name_make_the_list_unbelievable(trusting: Bridge):
    with pytest.raises(ListRefused, match="two tools called 'a'"):
        record(trusting, tool("a"), tool("a", "Other."))
    assert not ToolPin.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 257, "line\nbreak", "\u202eflip"])
def test_a_name_that_cannot_be_stored_or_shown_is_left_out(trusting: Bridge, name: str):
    record(trusting, tool("a"), tool(name))
    assert list(ToolPin.objects.values_list("name", flat=True)) == ["a"]


def test_a_definition_that_holds_nul_is_refused_on_every_database(trusting: Bridge):
    with pytest.raises(ListRefused, match="NUL"):
        record(trusting, tool("a", "zero \0 byte"))
    record(trusting, tool("a", "a harmless \\u0000 in letters"))


def test_a_definition_nested_beyond_measure_is_refused(trusting: Bridge):
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"items": deep}
    with pytest.raises(ListRefused, match="cannot be pinned"):
        record(trusting, {**tool("a"), "inputSchema": deep})


def test_a_list_read_under_another_configuration_is_not_believed(trusting: Bridge):
    with pytest.raises(ListRefused, match="configuration changed"):
        record_list(upstream_id=trusting.upstream.id, config_digest=b"x" * 32, tools=[tool("a")])
    assert not ToolPin.objects.exists()


def test_drift_is_recorded_even_when_cancelling_its_tickets_fails(trusting: Bridge, monkeypatch):
    record(trusting, tool("a"))

    def fails(**anything) -> int:
        raise RuntimeError("planted")

    monkeypatch.setattr(recording.ledger, "cancel_tickets", fails)
    with pytest.raises(RuntimeError, match="planted"):
        record(trusting, tool("a", "Changed."))
    assert trusting.pin("a").status == Status.QUARANTINED


def test_a_failure_to_read_is_kept_for_the_admin(trusting: Bridge):
    record_failure(upstream_id=trusting.upstream.id, error="x" * 1000)
    assert Upstream.objects.get().last_error == "x" * 300
