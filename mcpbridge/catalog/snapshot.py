"""What the rows say about upstreams and tools at one epoch of the gate, as frozen data.

The epoch is read before the rows: a snapshot is at most newer than its epoch, never older, and
every use of it is checked against the gate when the call is recorded.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mcpbridge import approvals_gateway as ledger
from mcpbridge.calls.naming import NameRefused, agent_tool_name
from mcpbridge.catalog.secrets import SecretsUnreadable
from mcpbridge.catalog.specs import spec_of
from mcpbridge.models import ToolPin, Upstream
from mcpbridge.upstream.spec import BadUpstreamSpec, UpstreamSpec, config_digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An enabled upstream. `spec` is None, with the reason in `broken`, where it cannot be used."""

    id: UUID
    name: str
    digest: bytes  # of its configuration
    team_ids: frozenset[UUID]
    trusts_annotations: bool
    spec: UpstreamSpec | None
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTool:
    """A pinned tool of an enabled upstream, exactly as an admin has seen it."""

    exposed_name: str
    name: str
    source: Source
    digest: bytes
    definition: Mapping[str, Any] = field(repr=False)
    max_attempts: int = 1  # above 1 only where an admin called the tool idempotent
    mirrors_parameters: bool = True  # perhaps: False where its schema never says `x-mcp-header`


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All enabled upstreams and their pinned tools, by the upstream's and the tool's own names."""

    epoch: int
    killed: bool
    sources: Mapping[str, Source]
    tools: Mapping[tuple[str, str], CatalogTool]
    exposed: Mapping[str, CatalogTool]


def load_snapshot() -> Snapshot:
    """Read the gate, then the rows."""
    gate = ledger.gate()
    sources = {source.id: source for source in _sources()}
    tools: dict[tuple[str, str], CatalogTool] = {}
    pins = ToolPin.objects.filter(
        status=ToolPin.Status.PINNED, upstream_id__in=list(sources)
    ).order_by("upstream__name", "name")
    for pin in pins:
        source = sources[pin.upstream_id]
        tool = _tool(pin, source)
        if tool is None:
            continue
        tools[source.name, pin.name] = tool
    return Snapshot(
        epoch=gate.epoch,
        killed=gate.killed,
        sources={source.name: source for source in sources.values()},
        tools=tools,
        exposed=_exposed(tools.values()),
    )


def _exposed(tools: Collection[CatalogTool]) -> dict[str, CatalogTool]:
    """Tools by the name that agents see; a name that several would share means none of them."""
    claimed = Counter(tool.exposed_name for tool in tools)
    for name, times in claimed.items():
        if times > 1:
            logger.error("%d tools would be seen as %s; none of them is listed.", times, name)
    return {tool.exposed_name: tool for tool in tools if claimed[tool.exposed_name] == 1}


def load_source(upstream_id: UUID) -> Source | None:
    """One upstream as its row stands now; None where it is gone or disabled."""
    for source in _sources(upstream_id):
        return source
    return None


def load_source_at_epoch(upstream_id: UUID) -> tuple[int, Source | None]:
    """The gate's epoch, and then one upstream; None where it is gone or disabled."""
    epoch = ledger.gate().epoch
    return epoch, load_source(upstream_id)


def load_tool(upstream_id: UUID, tool_name: str) -> tuple[int, CatalogTool | None]:
    """The gate's epoch, and then one pinned tool; None where it may not be called."""
    epoch = ledger.gate().epoch
    return epoch, _load_tool(upstream_id, tool_name)


def _load_tool(upstream_id: UUID, tool_name: str) -> CatalogTool | None:
    source = load_source(upstream_id)
    if source is None:
        return None
    pin = ToolPin.objects.filter(
        upstream_id=upstream_id, name=tool_name, status=ToolPin.Status.PINNED
    ).first()
    return _tool(pin, source) if pin is not None else None


def _sources(upstream_id: UUID | None = None) -> list[Source]:
    rows = Upstream.objects.filter(enabled=True).prefetch_related("teams")
    if upstream_id is not None:
        rows = rows.filter(pk=upstream_id)
    return [_source(row) for row in rows]


def _source(row: Upstream) -> Source:
    spec: UpstreamSpec | None = None
    broken = ""
    try:
        spec = spec_of(row)
        if config_digest(spec) != bytes(row.config_digest):
            raise BadUpstreamSpec("its row was changed from outside; save it again to accept that")
    except (BadUpstreamSpec, SecretsUnreadable, TypeError) as error:
        spec, broken = None, f"its configuration cannot be used: {error}"
        logger.warning("Upstream %s: %s", row.name, broken)
    return Source(
        id=row.id,
        name=row.name,
        digest=bytes(row.config_digest),
        team_ids=frozenset(team.pk for team in row.teams.all()),
        trusts_annotations=row.trust_annotations,
        spec=spec,
        broken=broken,
    )


def _tool(pin: ToolPin, source: Source) -> CatalogTool | None:
    if pin.digest is None or pin.definition is None:
        return None
    try:
        exposed_name = agent_tool_name(source.name, pin.name)
    except NameRefused as error:
        logger.warning("Tool %r is not listed: %s", pin.name, error)
        return None
    return CatalogTool(
        exposed_name=exposed_name,
        name=pin.name,
        source=source,
        digest=bytes(pin.digest),
        definition=pin.definition,
        max_attempts=pin.max_attempts if pin.idempotent else 1,
        mirrors_parameters="x-mcp-header" in json.dumps(pin.definition.get("inputSchema")),
    )
