"""Counts for metrics, each over a partial index or a few rows."""

from __future__ import annotations

from django.db.models import Count

from approvals import ports
from approvals.domain.states import OPEN, State
from approvals.models import Gate, Ticket


def ledger_figures() -> dict[str, int]:
    """Open tickets by state, unknown outcomes nobody has looked into, and the kill switch."""
    open_states = sorted(state.value for state in OPEN)
    counted = dict(
        Ticket.objects.filter(state__in=open_states, canary__isnull=True)
        .values_list("state")
        .annotate(count=Count("pk"))
        .order_by()
    )
    figures = {f"tickets_{state}": counted.get(state, 0) for state in open_states}
    figures["tickets_unknown_unresolved"] = Ticket.objects.filter(
        state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True
    ).count()
    figures["kill_switch"] = int(Gate.objects.filter(pk=1, killed=True).exists())
    return figures


def heartbeat(kind: str, name: str) -> None:
    """Say that a process of this kind is alive."""
    ports.heartbeat(kind, name)
