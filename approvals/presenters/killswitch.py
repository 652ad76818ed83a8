"""How the kill switch stands, who turned it, and what turning it would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from approvals.services.contract import GateView


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchPage:
    """The whole page."""

    killed: bool
    heading: str
    text: str
    since: datetime | None
    by: str
    may_turn: bool
    error: str


def present_kill_switch(gate: GateView, *, is_admin: bool, error: str) -> KillSwitchPage:
    """The page for one person."""
    return KillSwitchPage(
        killed=gate.killed,
        heading=gettext("Everything is stopped") if gate.killed else gettext("Calls run"),
        text=gettext(
            "No call of any agent is sent, allowed or approved. Decisions cannot be approvals;"
            " rejecting still works."
        )
        if gate.killed
        else gettext("Allowed calls are forwarded, and approved ones are executed."),
        since=gate.since,
        by=gate.by,
        may_turn=is_admin,
        error=error,
    )
