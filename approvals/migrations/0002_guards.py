"""What the database itself refuses, and the one gate row."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from approvals.migrations import _triggers as guard

# The edges of the state machine as of this migration; a test compares them with the code.
EDGES = (
    ("pending", "approved"),
    ("pending", "rejected"),
    ("pending", "expired"),
    ("pending", "cancelled"),
    ("approved", "cancelled"),
    ("claimed", "cancelled"),
    ("approved", "claimed"),
    ("claimed", "sent"),
    ("claimed", "approved"),
    ("approved", "expired"),
    ("claimed", "expired"),
    ("claimed", "failed"),
    ("sent", "succeeded"),
    ("sent", "failed"),
    ("sent", "outcome_unknown"),
    ("sent", "approved"),
)
TERMINAL = ("succeeded", "failed", "rejected", "expired", "cancelled", "outcome_unknown")
TICKET = "approvals_ticket"
IDENTITY = (
    "id", "uid", "team_id", "agent_id", "agent_name", "token_id", "person_id", "session_label",
    "trace_id", "upstream_id", "upstream_name", "tool_name", "possible_repeat_of_id",
    "retry_of_id", "created_at", "max_attempts", "grace_seconds", "grant_id",
)  # fmt: skip
BOUND = (  # a new revision (an edit) binds these anew
    "upstream_digest", "tool_digest", "arguments_id", "tool_definition_id", "agent_says_id",
    "nonce", "digest", "policy_id", "verdict", "obligations", "risk", "repeat_key",
    "explicit_key", "arguments_key", "approval_expires_at",
)  # fmt: skip
MOVING = (
    "state", "revision", "fence", "requests", "execution_expires_at", "decided_at", "ended_at",
    "waiting", "holder_id", "detached_at", "waits_until", "delivered_at", "gate_epoch",
    "revoked_at", "claimed_by", "claimed_at", "attempts", "sent_at", "abort_requested_at",
    "wound_up_at", "cancel_reason", "unknown_reason", "result_id", "reason_id", "annotation_id",
    "annotated_at",
)  # fmt: skip
AFTER_THE_END = {"requests", "delivered_at", "annotation_id", "annotated_at", "wound_up_at"}
ONCE = ("delivered_at", "annotated_at", "annotation_id", "wound_up_at", "ended_at", "result_id")
UNCOUNTED = ("lease_expires_at",)  # a heartbeat: renewed without a new version

_json = {"verdict", "obligations"}


def _differ(columns: tuple[str, ...] | list[str]) -> str:
    return guard.differ(columns)


def _ticket_triggers() -> list[guard.Trigger]:
    states = ", ".join(f"'{state}'" for state in TERMINAL)
    frozen = [c for c in (*IDENTITY, *BOUND, *MOVING, *UNCOUNTED) if c not in AFTER_THE_END]
    rules = {
        "moves_along_edges": guard.moved_off("state", EDGES),
        "end_is_final": f"OLD.state IN ({states}) AND {_differ(frozen)}",
        "identity_is_fixed": _differ(IDENTITY),
        "binding_is_fixed": f"OLD.revision = NEW.revision AND {_differ(BOUND)}",
        "revision_by_one_while_pending": (
            "OLD.revision <> NEW.revision AND NOT (NEW.revision = OLD.revision + 1 "
            "AND OLD.state = 'pending' AND NEW.state = 'pending')"
        ),
        "version_counts_every_change": (
            "(NEW.version = OLD.version + 1) {distinct} {true} AND (NEW.version <> OLD.version "
            f"OR {_differ((*IDENTITY, *BOUND, *MOVING))})"
        ),
        "counters_never_shrink": (
            "NEW.fence < OLD.fence OR NEW.fence > OLD.fence + 1 OR NEW.requests < OLD.requests "
            "OR NEW.attempts < OLD.attempts OR NEW.gate_epoch < OLD.gate_epoch"
        ),
        "fence_grows_with_authority": (
            "OLD.fence = NEW.fence AND OLD.state <> NEW.state "
            "AND (NEW.state IN ('claimed', 'cancelled') "
            "OR NEW.state = 'approved' AND OLD.state <> 'pending')"
        ),
        "fence_alone_never_moves": "OLD.fence <> NEW.fence AND OLD.state = NEW.state",
        "facts_are_written_once": " OR ".join(
            f"(OLD.{column} IS NOT NULL AND {_differ((column,))})" for column in ONCE
        ),
        "revocation_is_final": "OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL",
        "sent_is_counted": (
            "NEW.state = 'sent' AND OLD.state = 'claimed' AND NEW.attempts <> OLD.attempts + 1 "
            "OR NEW.attempts <> OLD.attempts AND NOT (OLD.state = 'claimed' AND NEW.state = 'sent')"
        ),
        "approval_has_a_decision": (
            "OLD.state = 'pending' AND NEW.state IN ('approved', 'rejected') AND NOT EXISTS ("
            "SELECT 1 FROM approvals_decision d WHERE d.ticket_id = NEW.id "
            "AND d.revision = NEW.revision AND d.seen_digest = NEW.digest "
            "AND d.verdict = CASE NEW.state WHEN 'approved' THEN 'approve' ELSE 'reject' END)"
        ),
    }
    triggers = [
        guard.Trigger(f"ticket_{name}", TICKET, "UPDATE", f"ticket {name}", when)
        for name, when in rules.items()
    ]
    born = (
        "NEW.version <> 1 OR NEW.revision <> 1 OR NEW.fence <> 0 OR NEW.attempts <> 0 "
        "OR NEW.sent_at IS NOT NULL OR NOT (NEW.state = 'pending' AND NEW.grant_id IS NULL "
        "OR NEW.state = 'approved' AND NEW.grant_id IS NOT NULL)"
    )
    triggers.append(
        guard.Trigger("ticket_is_born_open", TICKET, "INSERT", "ticket is born open", born)
    )
    return triggers + guard.permanent(TICKET)


PAYLOAD = "approvals_payload"
PAYLOAD_TRIGGERS = [
    *guard.permanent(PAYLOAD),
    guard.Trigger(
        "payload_may_only_be_purged",
        PAYLOAD,
        "UPDATE",
        "payload may only be purged",
        guard.differ(("id", "kind", "key_id", "commitment", "size", "created_at"))
        + " OR OLD.purged_at IS NOT NULL OR NEW.purged_at IS NULL OR NEW.ciphertext IS NOT NULL"
        " OR NEW.nonce IS NOT NULL OR NEW.salt IS NOT NULL",
    ),
]
GRANT = "approvals_grant"
GRANT_TRIGGERS = [
    *guard.permanent(GRANT),
    guard.Trigger(
        "grant_is_only_used_or_revoked",
        GRANT,
        "UPDATE",
        "grant is only used or revoked",
        guard.differ(
            (
                "id", "team_id", "made_from_id", "agent_id", "upstream_id", "tool_name",
                "tool_digest", "upstream_digest", "pins", "obligations", "max_uses", "expires_at",
                "created_at", "granted_by_id",
            )
        )
        + " OR NEW.uses < OLD.uses OR OLD.revoked_at IS NOT NULL"
        + " AND " + guard.differ(("revoked_at", "revoked_by_id", "uses")),
    ),
]  # fmt: skip
GATE = "approvals_gate"
GATE_TRIGGERS = [
    *guard.permanent(GATE),
    guard.Trigger(
        "gate_epoch_grows_with_every_change",
        GATE,
        "UPDATE",
        "gate epoch grows with every change",
        "NEW.epoch <= OLD.epoch",
    ),
]
TRIGGERS = [
    *(
        trigger
        for table in (
            "approvals_auditevent",
            "approvals_checkpoint",
            "approvals_checkpointleaf",
            "approvals_decision",
            "approvals_policyversion",
        )
        for trigger in guard.immutable(table)
    ),
    *guard.immutable("approvals_ticket_groups"),
    *_ticket_triggers(),
    *PAYLOAD_TRIGGERS,
    *GRANT_TRIGGERS,
    *GATE_TRIGGERS,
]


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the gate row and every trigger."""
    apps.get_model("approvals", "Gate").objects.create(pk=1)
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop every trigger and the gate row."""
    guard.remove(editor, TRIGGERS)
    apps.get_model("approvals", "Gate").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
