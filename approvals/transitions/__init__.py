"""The only writer of `Ticket.state`, of the gate and of grants.

Each function runs inside the caller's transaction and is one UPDATE … WHERE with every guard in
it, one audit row, and one doorbell after the commit. It raises `StaleState` when no row moved:
the caller looks at the ticket and says why. Knows nothing of who may do what.

Lock order everywhere: the gate before tickets, tickets in the order of their numbers.
"""

from approvals.transitions.deciding import approve, record_vote, reject, revoke
from approvals.transitions.editing import Rebound, edit
from approvals.transitions.ending import cancel, expire
from approvals.transitions.escalating import escalate
from approvals.transitions.executing import claim, release, renew_lease, retry_sent, send
from approvals.transitions.gate import (
    bump_epoch,
    gate_facts_for_share,
    gate_for_share,
    set_kill,
    set_policy,
)
from approvals.transitions.grants import make_grant, revoke_grant
from approvals.transitions.notes import (
    annotate,
    count_request,
    late_answer,
    mark_delivered,
    request_abort,
    touch_epoch,
    wound_up,
)
from approvals.transitions.opening import open_by_grant, open_pending
from approvals.transitions.remarks import hand_on, remark
from approvals.transitions.settling import fail_sent, fail_unsent, succeed, unknown
from approvals.transitions.waiting import attach_waiter, detach, hand_over

__all__ = [
    "Rebound",
    "annotate",
    "approve",
    "attach_waiter",
    "bump_epoch",
    "cancel",
    "claim",
    "count_request",
    "detach",
    "edit",
    "escalate",
    "expire",
    "fail_sent",
    "fail_unsent",
    "gate_facts_for_share",
    "gate_for_share",
    "hand_on",
    "hand_over",
    "late_answer",
    "make_grant",
    "mark_delivered",
    "open_by_grant",
    "open_pending",
    "record_vote",
    "reject",
    "release",
    "remark",
    "renew_lease",
    "request_abort",
    "retry_sent",
    "revoke",
    "revoke_grant",
    "send",
    "set_kill",
    "set_policy",
    "succeed",
    "touch_epoch",
    "unknown",
    "wound_up",
]
