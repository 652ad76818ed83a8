"""Tickets, their record and the installation that keeps them."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
    "somebody-waits": Requirement(
        "Nothing runs for which nobody waits any more; tasks survive.",
        {
            "approvals/transitions/test_guards.py": (
                "test_a_claim_needs_somebody_who_still_waits",
            ),
            "approvals/services/test_lifecycle.py": (
                "test_a_broken_off_call_is_cancelled_after_its_grace_period",
                "test_a_task_survives_everybody_who_asked_for_it",
            ),
        },
    ),
    "repeats": Requirement(
        "A repeat attaches to the open ticket: one execution for n requests.",
        {
            "approvals/services/test_repeats.py": (
                "test_a_repeat_attaches_to_the_open_ticket_and_is_counted",
                "test_an_outcome_that_nobody_got_goes_to_the_first_repeat",
                "test_a_named_key_with_other_arguments_is_an_error_even_after_the_end",
            ),
            "approvals/transitions/test_guards.py": (
                "test_a_second_open_ticket_with_the_same_repeat_key_is_refused",
            ),
        },
    ),
    "withdrawal": Requirement(
        "Who withdraws before the send cancels; who withdraws after it asks to abort.",
        {
            "approvals/services/test_waiting.py": (
                "test_a_call_withdrawn_before_sending_is_cancelled",
                "test_a_call_withdrawn_after_sending_is_asked_to_abort",
            ),
        },
    ),
    "revocation": Requirement(
        "An approval can be revoked until the call was sent.",
        {
            "approvals/transitions/test_guards.py": (
                "test_an_approval_is_revoked_once_and_only_before_the_send",
            ),
        },
    ),
    "sealed": Requirement(
        "Arguments, results and free text are sealed at rest and can be purged.",
        {
            "approvals/audit/test_sealing.py": (
                "test_nothing_plain_is_stored_and_equal_bytes_look_different",
                "test_what_was_purged_is_gone_and_the_purge_is_on_record",
            ),
            "approvals/services/test_submission.py": (
                "test_the_audit_row_of_an_opening_holds_no_plain_text",
            ),
        },
    ),
    "late-answers": Requirement(
        "An answer that comes too late is evidence and changes no outcome.",
        {
            "approvals/transitions/test_guards.py": (
                "test_a_late_answer_is_kept_as_evidence_and_changes_no_outcome",
            ),
        },
    ),
    "visibility": Requirement(
        "Every read filters by what the person may see; hidden and absent look the same.",
        {
            "approvals/selectors/test_visibility.py": (
                "test_a_ticket_is_seen_by_its_team_its_groups_its_owner_and_nobody_else",
                "test_a_hidden_ticket_and_an_absent_one_look_the_same",
                "test_being_superuser_shows_nothing",
            ),
        },
    ),
    "quorum-reachable": Requirement(
        "A quorum that nobody can reach is refused when it is configured.",
        {
            "approvals/services/test_policies.py": (
                "test_a_quorum_that_nobody_can_reach_is_not_published",
            ),
        },
    ),
    "drift": Requirement(
        "A tool that changed is quarantined, and what was approved of it is cancelled.",
        {
            "mcpbridge/executor/test_tickets.py": (
                "test_a_tool_that_changed_after_the_approval_is_not_called",
            ),
            "mcpbridge/catalog/test_catalog.py": (
                "test_an_approved_ticket_of_a_drifted_tool_is_cancelled",
            ),
        },
    ),
    "verify-audit": Requirement(
        "verify_audit exits non-zero on any break and names it.",
        {
            "approvals/audit/test_checkpoints.py": (
                "test_the_command_names_the_first_broken_row_and_fails",
            ),
        },
    ),
    "no-secret-in-logs": Requirement(
        "No log line holds a secret.",
        {
            "placet/test_logs.py": ("test_what_looks_like_a_secret_is_struck_out",),
            "mcpbridge/server/test_face.py": ("test_no_log_line_holds_a_token",),
        },
    ),
    "environment": Requirement(
        "Configuration is validated at start with an error that names the variable.",
        {
            "placet/test_env.py": ("test_a_bad_variable_is_named_with_what_is_expected",),
        },
    ),
    "up": Requirement(
        "Ctrl-C and kill -9 leave no process; a second start finds its data.",
        {
            "placet/up/test_up.py": (
                "test_two_starts_share_their_data_and_leave_nothing_by_ctrl_c_or_kill_9",
            ),
        },
    ),
    "health": Requirement(
        "/readyz is ready with the database and says which part is degraded.",
        {
            "placet/test_health.py": (
                "test_readyz_without_broker_and_worker_is_degraded_but_200",
                "test_readyz_without_a_database_is_503",
            ),
        },
    ),
}
