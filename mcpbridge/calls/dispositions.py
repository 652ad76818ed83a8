"""What became of a call, for programs: two open drafts of the protocol, spoken in `_meta`.

SEP-2848 names the disposition of an approval; it is told in every revision, since an unknown key
of `_meta` harms nobody. SEP-2643 describes a denial in an envelope; it builds on revision
2026-07-28 and is told from there on. The envelope's presence says that nothing was executed, so
it stands only where that is certain. Pure.
"""

from __future__ import annotations

from typing import Final, Literal, assert_never

from mcpbridge.calls.outcome import (
    AgentPaused,
    Cancelled,
    DeniedByPolicy,
    Executed,
    Expired,
    KillSwitchOn,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Rejected,
    ResultGone,
    Unavailable,
    UpstreamError,
)
from mcpbridge.calls.strict_json import JSON

DISPOSITION_KEY: Final = "io.modelcontextprotocol/tool-approval-disposition"
AUTHORIZATION_KEY: Final = "io.modelcontextprotocol/authorization"
OURS: Final = frozenset({DISPOSITION_KEY, AUTHORIZATION_KEY})
"""Keys of `_meta` in which the gateway speaks; what an upstream says in them never counts."""

type Disposition = Literal[
    "approved-executed", "denied-not-executed", "execution-error", "outcome-unknown"
]


def disposition(outcome: Outcome) -> Disposition | None:
    """What became of the approval; None while nothing is settled."""
    match outcome:
        case Executed():
            return "execution-error" if outcome.is_tool_error else "approved-executed"
        case ResultGone(succeeded=succeeded):
            return "approved-executed" if succeeded else "execution-error"
        case UpstreamError():
            return "execution-error"
        case (
            Rejected()
            | Expired()
            | Cancelled()
            | DeniedByPolicy()
            | KillSwitchOn()
            | AgentPaused()
            | NotSent()
        ):
            return "denied-not-executed"
        case OutcomeUnknown():
            return "outcome-unknown"
        case Pending() | Unavailable():
            return None
        case _:
            assert_never(outcome)


def denial(outcome: Outcome, *, as_task: bool = False) -> dict[str, JSON] | None:
    """SEP-2643's envelope; None where nothing was denied, or something may have run.

    `as_task`: the agent holds a task through which the decision will reach it.
    """
    match outcome:
        case Pending(stage="deciding" | "approved"):
            envelope: dict[str, JSON] = {
                "reason": "insufficient_authorization",
                "remediation": "available",
            }
            if as_task:
                envelope["remediationHints"] = [{"type": "task"}]
            return envelope
        case (
            Rejected() | Expired() | Cancelled() | DeniedByPolicy() | KillSwitchOn() | AgentPaused()
        ):
            return {"reason": "insufficient_authorization", "remediation": "unavailable"}
        case _:
            return None


def without_ours(meta: JSON) -> dict[str, JSON]:
    """An upstream's `_meta` without the keys in which only the gateway speaks."""
    if not isinstance(meta, dict):
        return {}
    return {key: value for key, value in meta.items() if key not in OURS}
