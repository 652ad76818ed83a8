"""Admin's changes beside calls that are being recorded: neither waits for the other in a ring."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection, transaction

from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import (
    AgentSettings,
    UpstreamSettings,
    change_agent,
    change_upstream,
    create_agent,
    create_upstream,
)
from mcpbridge.catalog.recording import record_list
from tests.support.waiting import eventually

ACTOR = "system:test"
TOOL = {"name": "echo", "inputSchema": {"type": "object"}}

pytestmark = pytest.mark.postgres


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def refer_to(table: str, key: object) -> None:
    """What inserting a row that refers to `key` locks."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
        cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR KEY SHARE", [key])


@pytest.mark.parametrize("what", ["agent", "upstream", "tool list"])
def test_a_call_is_recorded_while_an_admins_change_waits_for_the_gate(cast, what: str):
    settings = AgentSettings(owner_id=cast.alice.person_id, team_id=cast.team.pk)
    agent = create_agent(actor=ACTOR, name="robo", settings=settings)
    http = UpstreamSettings(
        transport="http", url="https://files.example.test/", pin_on_first_contact=True
    )
    upstream = create_upstream(actor=ACTOR, name="files", settings=http)
    changes: dict[str, Callable[[], object]] = {
        "agent": lambda: change_agent(
            actor=ACTOR, agent_id=agent.pk, settings=replace(settings, enabled=False)
        ),
        "upstream": lambda: change_upstream(
            actor=ACTOR, upstream_id=upstream.pk, settings=replace(http, enabled=False)
        ),
        "tool list": lambda: record_list(
            upstream_id=upstream.pk, config_digest=bytes(upstream.config_digest), tools=[TOOL]
        ),
    }

    def change() -> None:
        try:
            changes[what]()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            before = ledger.gate_for_share().epoch
            changing = pool.submit(change)
            eventually(somebody_waits_for_a_lock, why="the change waits for the gate")
            refer_to("mcpbridge_agent", agent.pk)
            refer_to("mcpbridge_upstream", upstream.pk)
        changing.result(timeout=30)
    assert ledger.gate().epoch > before
