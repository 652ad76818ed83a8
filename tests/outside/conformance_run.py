"""Runs the conformance suite against a whole installation, in a child with its own database."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.outside.everything.process import an_everything_server
from tests.outside.installation import an_installation
from tests.outside.suite import Results, run_suite
from tests.support.databases import RealDatabase

PAUSED: Final = (
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
)
ASKS_ITS_AGENT: Final = dict.fromkeys(("sampling", "elicitation", "roots"), "agent")
RULES: Final = (
    *({"name": f"see {tool}", "tool": tool, "effect": "require_approval"} for tool in PAUSED),
    {"name": "the rest is fine", "effect": "allow"},
)


def main(database: RealDatabase, arguments: list[str]) -> dict[str, Results]:
    """The child's part: run the suite for the revisions named; `revision/scenario` runs one."""
    return asyncio.run(_judge(database, arguments))


async def _judge(database: RealDatabase, wanted: list[str]) -> dict[str, Results]:
    found: dict[str, Results] = {}
    with an_everything_server() as url:
        async with an_installation(
            database,
            upstreams={"everything": {"url": url, "questions": ASKS_ITS_AGENT}},
            rules=RULES,
        ) as house:
            address = house.endpoint("everything")
            for entry in wanted:
                revision, _, scenario = entry.partition("/")
                results = await asyncio.to_thread(run_suite, address, revision, scenario)
                found.setdefault(revision, {}).update(results)
    return found
