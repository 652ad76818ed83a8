"""Counts of recent calls for metrics, over the index of their start."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Count
from django.utils import timezone

from mcpbridge.models import CallRecord

RECENT: Final = timedelta(seconds=60)
STATUSES: Final = ("ok", "error", "unsent", "unknown")
UNDER_WAY: Final = "none"  # under way, or its completion was lost


def recent_calls() -> dict[tuple[str, str], int]:
    """How many calls started within the last minute, by verdict and by how they ended.

    A denied call has no end: it was never sent.
    """
    found = (
        CallRecord.objects.filter(started_at__gt=timezone.now() - RECENT)
        .values_list("verdict", "completion__status")
        .annotate(count=Count("pk"))
        .order_by()
    )
    counted = {(verdict, status or UNDER_WAY): number for verdict, status, number in found}
    kinds = [("allow", status) for status in (*STATUSES, UNDER_WAY)] + [("deny", UNDER_WAY)]
    return {kind: counted.get(kind, 0) for kind in kinds}
