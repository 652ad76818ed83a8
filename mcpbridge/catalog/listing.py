"""Which tools an agent sees, and which one it means by a name.

A tool is listed when its upstream is enabled and open to the agent's team, its definition is
pinned, and policy does not deny it whatever the arguments.
"""

from __future__ import annotations

import asyncio
import logging

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import CallFacts, Effect
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.catalog import CatalogTool, CatalogUnreadable, catalog, may_use
from mcpbridge.catalog.snapshot import Snapshot
from mcpbridge.offload import in_database

logger = logging.getLogger(__name__)


async def tools_for(principal: Principal, *, upstream: str | None = None) -> list[CatalogTool]:
    """The tools this agent may use, of all its upstreams or of one, in a stable order.

    Asks the gate first, so that a revoked tool is gone from the next list. An upstream whose
    list cannot be read contributes nothing.
    """
    current = await _read_now(principal, upstream)
    unreadable = {name for name in current.sources if not _is_fresh(current, name)}
    candidates = [
        tool
        for tool in current.tools.values()
        if may_use(principal, tool.source)
        and (upstream is None or tool.source.name == upstream)
        and tool.source.name not in unreadable
        and current.exposed.get(tool.exposed_name) is tool
    ]
    judgements = await catalog().verdicts.judge_all(
        [facts_of(principal, tool) for tool in candidates], epoch=current.epoch
    )
    return [
        tool
        for tool, judgement in zip(candidates, judgements, strict=True)
        if judgement.verdict.effect is not Effect.DENY
    ]


async def tools_in_sight(
    principal: Principal, *, upstream: str | None = None
) -> frozenset[tuple[str, bytes]]:
    """Names and digests of what `tools_for` would list, as far as is known without reading."""
    current = await _at_the_gate()
    candidates = [
        tool
        for tool in current.tools.values()
        if may_use(principal, tool.source) and (upstream is None or tool.source.name == upstream)
    ]
    judgements = await catalog().verdicts.judge_all(
        [facts_of(principal, tool) for tool in candidates], epoch=current.epoch
    )
    return frozenset(
        (tool.exposed_name, tool.digest)
        for tool, judgement in zip(candidates, judgements, strict=True)
        if judgement.verdict.effect is not Effect.DENY
    )


def _is_fresh(current: Snapshot, name: str) -> bool:
    return catalog().is_fresh(current.sources[name])


async def _read_now(principal: Principal, upstream: str | None) -> Snapshot:
    """The rows of now, after the lists that are due were read.

    The gate is asked again after the reading: another process may have read the same list first,
    and what it wrote is then no news to ours.
    """
    await _read_all(principal, await _at_the_gate(), upstream)
    return await _at_the_gate()


async def _at_the_gate() -> Snapshot:
    gate = await in_database(ledger.gate)
    return await catalog().snapshot(newer_than=gate.epoch - 1)


async def _read_all(principal: Principal, current: Snapshot, upstream: str | None) -> None:
    """Read the lists that are due, side by side; one that fails is logged and left out."""
    due = [
        source
        for source in current.sources.values()
        if may_use(principal, source) and (upstream is None or source.name == upstream)
    ]
    results = await asyncio.gather(
        *(catalog().ensure_fresh(source, agent_id=principal.agent_id) for source in due),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, CatalogUnreadable):
            logger.warning("%s", result)
        elif isinstance(result, BaseException):
            raise result


def facts_of(principal: Principal, tool: CatalogTool) -> CallFacts:
    """What policy may ask about a call of this tool by this agent."""
    return CallFacts(upstream=tool.source.name, tool=tool.name, agent=principal.agent_name)


async def resolve(
    principal: Principal, name: str, *, upstream: str | None = None
) -> CatalogTool | None:
    """The tool that `name` means to this agent: the exposed name, or the upstream's own.

    None for a tool that is unknown, quarantined, gone, or not open to the agent's team: to the
    agent these are one and the same, and take the same way to be found out.
    """
    tool = _meant(await catalog().snapshot(), principal, name, upstream)
    if tool is None:
        # Perhaps an admin pinned it a moment ago, or this process has not read the list yet.
        tool = _meant(await _read_now(principal, upstream), principal, name, upstream)
    return tool


def _meant(
    current: Snapshot, principal: Principal, name: str, upstream: str | None
) -> CatalogTool | None:
    """The tool of that name, if the agent may use it."""
    tool = current.exposed.get(name) if upstream is None else current.tools.get((upstream, name))
    return tool if tool is not None and may_use(principal, tool.source) else None
