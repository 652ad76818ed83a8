"""How upstreams are, as figures for monitoring: read from rows, hence the same from every process.

Knows no page and no network; what the rows say was written by whoever last spoke to the upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef
from django.utils import timezone

from mcpbridge.models import StdioLease, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamHealth:
    """One enabled upstream. `silent_seconds` since its last tool list; None where there is none."""

    name: str
    failing: bool
    silent_seconds: float | None
    unsandboxed: bool


def upstream_health() -> Sequence[UpstreamHealth]:
    """Every enabled upstream by name, in one query."""
    now = timezone.now()
    unconfined = StdioLease.objects.filter(
        upstream=OuterRef("pk"), sandbox_label="unsandboxed", state="running", expires_at__gt=now
    )
    rows = Upstream.objects.filter(enabled=True).annotate(unsandboxed=Exists(unconfined))
    return [
        UpstreamHealth(
            name=name,
            failing=bool(error),
            silent_seconds=max(0.0, (now - seen).total_seconds()) if seen is not None else None,
            unsandboxed=unsandboxed,
        )
        for name, error, seen, unsandboxed in rows.order_by("name").values_list(
            "name", "last_error", "last_seen_at", "unsandboxed"
        )
    ]
