"""The thirteen invariants."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
    "I1": Requirement(
        "No byte leaves before a committed row whose transaction saw valid authority.",
        {
            "mcpbridge/executor/test_tickets.py": (
                "test_the_send_is_committed_before_the_first_byte",
                "test_a_send_that_cannot_be_committed_lets_no_byte_out",
            ),
            "mcpbridge/pep/test_enforcement.py": (
                "test_an_allowed_call_is_on_record_before_it_may_be_run",
                "test_a_sensitive_call_becomes_a_ticket_and_nothing_reaches_the_upstream",
            ),
            "approvals/models/test_database_guards.py": (
                "test_a_state_moves_along_an_edge_or_not_at_all",
            ),
            "approvals/transitions/test_guards.py": (
                "test_the_database_refuses_an_approval_that_nobody_voted_for",
                "test_a_send_without_a_claim_a_lease_or_a_live_approval_is_refused",
                "test_a_grant_covers_no_call_that_differs_in_a_pin",
            ),
            "approvals/test_state_machine.py": (
                "test_no_walk_through_the_ledger_breaks_a_promise",
            ),
        },
    ),
    "I2": Requirement(
        "At most one send, unless an admin marked the tool idempotent.",
        {
            "approvals/transitions/test_guards.py": (
                "test_only_an_idempotent_tool_is_retried_and_only_as_often_as_allowed",
            ),
            "mcpbridge/executor/test_tickets.py": ("test_two_executors_at_one_ticket_send_once",),
            "race/test_execution.py": ("test_of_two_claimers_exactly_one_gets_the_ticket",),
            "kills/test_kills.py": ("test_a_worker_that_sends_twice_is_found_guilty",),
            "approvals/test_state_machine.py": (
                "test_no_walk_through_the_ledger_breaks_a_promise",
            ),
        },
    ),
    "I3": Requirement(
        "Every accepted call reaches exactly one terminal state, which is never left.",
        {
            "approvals/models/test_database_guards.py": (
                "test_a_terminal_ticket_is_never_left_nor_rewritten",
                "test_a_state_moves_along_an_edge_or_not_at_all",
            ),
            "race/test_execution.py": ("test_a_ticket_is_cancelled_or_sent_but_never_both",),
            "approvals/test_state_machine.py": (
                "test_no_walk_through_the_ledger_breaks_a_promise",
            ),
        },
    ),
    "I4": Requirement(
        "What the agent is told is a pure function of the row.",
        {
            "approvals/services/test_waiting.py": (
                "test_a_view_is_the_same_whoever_looks_and_when",
            ),
            "approvals/test_state_machine.py": (
                "test_no_walk_through_the_ledger_breaks_a_promise",
            ),
        },
    ),
    "I5": Requirement(
        "Decisions are linearizable: two racing reviewers yield one outcome, seen by all.",
        {
            "race/test_decisions.py": (
                "test_races_of_approve_and_reject_have_exactly_one_winner_each",
                "test_the_same_race_notices_a_decision_that_reads_and_then_saves",
            ),
            "approvals/services/test_voting.py": (
                "test_the_second_decision_finds_the_ticket_decided",
            ),
        },
    ),
    "I6": Requirement(
        "A crash after the send gives outcome_unknown, shown to people, never a silent rerun.",
        {
            "approvals/services/test_lifecycle.py": (
                "test_a_dead_worker_that_had_sent_leaves_an_unknown_outcome",
            ),
            "mcpbridge/tasks/test_worker.py": (
                "test_a_killed_worker_leaves_an_unknown_outcome_and_nothing_runs_again",
            ),
            "kills/test_kills.py": (
                "test_calls_whose_worker_is_killed_run_at_most_once_and_end_truthfully",
            ),
            "approvals/web/test_lists.py": ("test_an_unknown_outcome_needs_somebody_who_looks",),
        },
    ),
    "I7": Requirement(
        "After the kill switch answered no send commits; un-kill revives nothing.",
        {
            "race/test_execution.py": (
                "test_after_the_kill_switch_answered_no_further_send_commits",
                "test_the_kill_switch_waits_for_a_send_that_has_read_the_gate",
            ),
            "approvals/transitions/test_guards.py": (
                "test_a_send_under_the_kill_switch_or_a_changed_authority_is_refused",
            ),
            "approvals/services/test_gate.py": ("test_reviving_revives_no_ticket",),
            "mcpbridge/executor/test_tickets.py": (
                "test_the_kill_switch_ends_a_sent_call_within_five_seconds",
            ),
            "mcpbridge/executor/test_allowed.py": (
                "test_the_kill_switch_ends_allowed_calls_under_way_within_five_seconds",
            ),
        },
    ),
    "I8": Requirement(
        "Expiry is decided inside the UPDATE by the database's clock.",
        {
            "race/test_decisions.py": (
                "test_an_approval_that_waited_for_the_row_past_the_deadline_is_refused",
                "test_expiry_and_approval_never_both_happen",
            ),
            "approvals/transitions/test_guards.py": (
                "test_a_decision_after_the_deadline_is_refused",
            ),
            "approvals/services/test_voting.py": (
                "test_a_deadline_that_passes_between_look_and_write_is_still_a_deadline",
            ),
        },
    ),
    "I9": Requirement(
        "Fail closed: without database, policy, audit row, known tool or gate nothing executes.",
        {
            "approvals/transitions/test_guards.py": (
                "test_a_transition_whose_audit_row_cannot_be_written_did_not_happen",
                "test_a_ticket_whose_chain_does_not_add_up_moves_no_further",
                "test_without_a_gate_row_nothing_runs",
            ),
            "mcpbridge/pep/test_enforcement.py": (
                "test_a_ledger_that_cannot_be_written_refuses_the_call",
                "test_an_unknown_tool_is_refused_without_a_record",
                "test_a_quarantined_tool_is_refused",
            ),
            "approvals/services/test_policies.py": (
                "test_a_policy_that_breaks_while_judging_asks_a_human",
            ),
            "mcpbridge/server/test_face.py": ("test_without_the_database_nobody_is_let_in",),
            "mcpbridge/tasks/test_worker.py": (
                "test_a_worker_without_a_broker_executes_what_was_approved",
            ),
        },
    ),
    "I10": Requirement(
        "Transition and audit row in one transaction, without a gap, immutable, exportable.",
        {
            "approvals/transitions/test_guards.py": (
                "test_a_transition_whose_audit_row_cannot_be_written_did_not_happen",
            ),
            "approvals/models/test_database_guards.py": (
                "test_facts_are_never_updated_nor_deleted",
                "test_no_guarded_table_is_truncated",
            ),
            "approvals/audit/test_changed_bytes.py": (
                "test_any_byte_changed_in_any_column_is_found_and_its_row_is_named",
            ),
            "approvals/audit/test_verification.py": (
                "test_a_value_of_each_kind_of_column_changed_is_found_and_its_row_is_named",
            ),
            "approvals/audit/test_checkpoints.py": (
                "test_every_checkpoint_is_copied_off_the_box_once",
                "test_a_rewritten_record_is_told_from_the_copies",
            ),
            "race/test_record.py": ("test_a_chain_that_many_write_to_has_no_gap_and_no_fork",),
        },
    ),
    "I11": Requirement(
        "What you see is what executes: the digest covers the exact bytes shown and sent.",
        {
            "approvals/services/test_execution.py": (
                "test_a_claim_hands_out_the_exact_bytes_that_were_approved",
                "test_a_row_that_says_something_else_than_was_approved_is_not_executed",
            ),
            "mcpbridge/executor/test_tickets.py": (
                "test_an_approved_ticket_is_sent_once_with_the_very_bytes_and_succeeds",
            ),
            "approvals/transitions/test_guards.py": (
                "test_a_decision_on_anything_but_what_was_seen_is_refused",
            ),
            "approvals/web/test_ticket_page.py": (
                "test_what_will_run_comes_first_from_the_exact_bytes",
            ),
        },
    ),
    "I12": Requirement(
        "Who owns the agent, at submission or at the vote, does not approve its calls.",
        {
            "approvals/services/test_voting.py": (
                "test_who_owned_the_agent_at_submission_does_not_approve",
                "test_who_owns_the_agent_at_the_vote_does_not_approve",
                "test_two_accounts_of_one_person_are_one_vote",
            ),
            "race/test_decisions.py": (
                "test_two_votes_of_one_person_with_two_accounts_count_once",
            ),
        },
    ),
    "I13": Requirement(
        "No process of a sandboxed stdio upstream outlives its host by more than five seconds.",
        {
            "mcpbridge/upstream/test_sandbox.py": (
                "test_nothing_a_server_forked_outlives_its_host_by_five_seconds",
            ),
            "mcpbridge/hostile_upstreams/test_processes.py": (
                "test_a_fork_bomb_is_held_to_its_number_and_gone_with_its_server",
            ),
            "mcpbridge/hostile_upstreams/test_over_stdio.py": (
                "test_whatever_it_does_the_outcome_is_unknown_and_nothing_of_it_is_left",
            ),
        },
    ),
}
