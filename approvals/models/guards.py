"""The names of the triggers that the migrations install; `verify_audit` looks for each of them.

A test compares this list with the migrations.
"""

from __future__ import annotations

from typing import Final

_IMMUTABLE: Final = (
    "approvals_absence_groups",
    "approvals_agreedterms",
    "approvals_auditevent",
    "approvals_canary",
    "approvals_checkpoint",
    "approvals_checkpointleaf",
    "approvals_decision",
    "approvals_edit",
    "approvals_handoff",
    "approvals_policyversion",
    "approvals_remark",
    "approvals_stepupproof",
    "approvals_ticket_groups",
    "approvals_typedanswer",
    "approvals_votemandate",
)
_PERMANENT: Final = (
    "approvals_absence",
    "approvals_agentpause",
    "approvals_ticket",
    "approvals_payload",
    "approvals_grant",
    "approvals_gate",
)
_RULES: Final = (
    "absence_is_only_ended",
    "agent_pause_is_only_resumed",
    "ticket_moves_along_edges",
    "ticket_end_is_final",
    "ticket_identity_is_fixed",
    "ticket_binding_is_fixed",
    "ticket_revision_by_one_while_pending",
    "ticket_version_counts_every_change",
    "ticket_counters_never_shrink",
    "ticket_fence_grows_with_authority",
    "ticket_fence_alone_never_moves",
    "ticket_facts_are_written_once",
    "ticket_revocation_is_final",
    "ticket_sent_is_counted",
    "ticket_approval_has_a_decision",
    "ticket_is_born_open",
    "ticket_canary_never_runs",
    "canary_marks_what_is_pending",
    "payload_may_only_be_purged",
    "grant_is_only_used_or_revoked",
    "gate_epoch_grows_with_every_change",
    "challenge_is_only_used",
)
GUARDS: Final = (
    *(f"{table}_no_{event}" for table in _IMMUTABLE for event in ("update", "delete", "truncate")),
    *(f"{table}_no_{event}" for table in _PERMANENT for event in ("delete", "truncate")),
    *_RULES,
)
