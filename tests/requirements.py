"""What Placet promises, and the tests that hold it to each promise.

A promise without a test, a test that does not exist, or a test that names no promise fails the
suite (`tests/test_requirements.py`). A test may name its promise itself with
`@pytest.mark.requirement("I7")`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """One promise in one sentence, with the tests by file that would notice it broken."""

    text: str
    tests: dict[str, tuple[str, ...]]


REQUIREMENTS: dict[str, Requirement] = {
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
                "test_any_value_changed_in_any_column_is_found_and_its_row_is_named",
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
    "grant-pins": Requirement(
        "A grant never covers a call that differs in anything but what was left open.",
        {
            "approvals/services/test_grants.py": (
                "test_a_grant_never_covers_a_call_that_its_pins_do_not_name",
                "test_what_is_not_left_open_holds_exactly_or_people_are_asked",
            ),
        },
    ),
    "grant-agreed": Requirement(
        "A grant needs what its ticket needed, of people who agreed to the grant itself.",
        {
            "approvals/services/test_grants.py": (
                "test_everybody_whose_approval_is_needed_agrees_to_the_grant_itself",
                "test_who_agrees_to_something_else_approves_the_call_alone",
                "test_past_rejections_have_to_be_confirmed",
            ),
        },
    ),
    "grant-journeys": Requirement(
        "An agent is told when a standing permission let its call through, or was revoked.",
        {
            "mcpbridge/server/test_grants.py": (
                "test_a_permission_lets_the_next_call_through_and_its_revocation_asks_again",
                "test_a_permission_for_a_session_ends_with_it",
            ),
        },
    ),
    "canary-never-runs": Requirement(
        "A test that an administrator seeded is never approved, claimed or sent.",
        {
            "approvals/services/test_canaries.py": (
                "test_an_approval_ends_a_test_and_approves_nothing",
                "test_the_database_lets_no_test_be_approved_claimed_or_sent",
                "test_the_database_refuses_an_approval_that_the_code_would_let_pass",
            ),
        },
    ),
    "grant-uses": Requirement(
        "A grant is consumed when it opens a ticket, never more often than it may be.",
        {
            "race/test_execution.py": ("test_a_grant_is_never_used_more_often_than_it_may_be",),
        },
    ),
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
    "held-call": Requirement(
        "A held call is answered with its outcome, or told at the limit how to wait on.",
        {
            "mcpbridge/server/test_journeys.py": (
                "test_a_held_call_is_answered_with_the_result_once_approved",
                "test_a_rejection_reaches_the_agent_with_its_reason",
                "test_at_the_hold_limit_the_agent_learns_how_to_wait_on",
            ),
        },
    ),
    "tasks": Requirement(
        "A task is durable before it is told, its agent's alone, and outlives connections.",
        {
            "mcpbridge/server/test_tasks.py": (
                "test_a_paused_call_is_a_task_that_is_asked_for_until_its_result_is_there",
                "test_foreign_unknown_and_malformed_tasks_and_plain_tickets_look_the_same",
                "test_a_task_survives_its_connections_and_a_held_repeat_that_leaves",
                "test_a_task_that_its_agent_was_never_told_of_is_taken_back",
                "test_a_header_that_names_another_task_is_refused",
                "test_a_listening_client_hears_of_its_own_tasks_and_of_no_others",
            ),
        },
    ),
    "rounds": Requirement(
        "A requestState is honoured once, for the request and the agent it was made for.",
        {
            "mcpbridge/server/test_rounds.py": (
                "test_the_official_client_waits_round_after_round_and_gets_the_result",
                "test_a_state_is_honoured_once",
                "test_of_two_requests_with_one_state_at_once_exactly_one_is_served",
                "test_a_state_of_another_agent_is_refused_and_still_good_for_its_own",
                "test_a_state_with_another_request_or_a_forged_one_is_refused",
            ),
            "mcpbridge/server/test_request_state.py": (
                "test_a_state_shown_with_anything_else_does_not_open",
                "test_every_changed_character_is_noticed",
            ),
        },
    ),
    "strict-input": Requirement(
        "Bad input gets an error by the specification, and no ticket.",
        {
            "mcpbridge/server/test_input.py": (
                "test_bad_input_gets_the_code_of_the_specification_and_leaves_nothing_behind",
                "test_what_is_unusual_but_right_is_a_call_of_its_own",
            ),
            "journeys/test_input_on_the_wire.py": (
                "test_hostile_bytes_get_a_refusal_each_and_leave_nothing_behind",
            ),
            "mcpbridge/server/test_face.py": (
                "test_bad_bodies_are_json_rpc_errors_in_both_eras",
                "test_headers_that_contradict_the_body_are_refused_and_nothing_runs",
                "test_an_oversize_body_is_refused",
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
    "cleared-sandbox": Requirement(
        "A stdio server sees neither Placet's environment nor its data.",
        {
            "mcpbridge/upstream/test_sandbox.py": (
                "test_no_environment_of_placet_can_be_seen_inside",
                "test_placets_data_is_hidden_even_below_a_visible_folder_but_named_paths_inside_work",
            ),
        },
    ),
    "honest-sandbox": Requirement(
        "A sandbox is called what it keeps; unconfined runs only what an admin accepted.",
        {
            "mcpbridge/upstream/test_sandbox.py": (
                "test_neither_datagrams_nor_unix_sockets_lead_out_of_a_closed_sandbox",
                "test_where_nothing_can_confine_it_a_server_runs_only_if_an_admin_accepted_that",
                "test_an_older_landlock_is_named_with_what_it_leaves_open",
            ),
        },
    ),
    "own-sockets": Requirement(
        "The stdio host and the broker serve only whoever knows the installation's secret.",
        {
            "mcpbridge/upstream/test_stdio.py": (
                "test_whoever_does_not_know_the_installations_secret_gets_no_server",
                "test_a_program_in_the_hosts_place_is_not_given_a_call",
            ),
            "placet/up/test_up.py": (
                "test_ctrl_c_leaves_nothing_and_a_second_start_finds_its_data",
            ),
            "placet/test_compose.py": (
                "test_the_broker_asks_for_its_password_which_stands_on_no_command_line",
            ),
        },
    ),
    "hostile-upstreams": Requirement(
        "A hostile upstream costs bounded memory and time, its calls end truthfully, nobody else's"
        " are touched.",
        {
            "mcpbridge/hostile_upstreams/test_over_http.py": (
                "test_whatever_it_answers_the_outcome_is_unknown_and_others_go_on",
                "test_an_answer_before_its_request_was_made_is_none",
                "test_a_name_that_points_inside_by_the_time_of_the_call_gets_nothing",
            ),
            "mcpbridge/hostile_upstreams/test_over_stdio.py": (
                "test_whatever_it_does_the_outcome_is_unknown_and_nothing_of_it_is_left",
                "test_a_tool_that_changed_after_the_approval_is_not_called",
            ),
            "mcpbridge/upstream/test_http_sse.py": (
                "test_an_endpoint_outside_the_origin_is_refused_and_nothing_is_posted",
                "test_a_broken_answer_means_outcome_unknown_and_the_call_is_posted_once",
            ),
        },
    ),
    "ssrf": Requirement(
        "Upstream addresses are checked and pinned; redirects are not followed.",
        {
            "mcpbridge/upstream/test_http_hostile.py": (
                "test_a_redirect_at_the_handshake_names_the_target_and_is_not_followed",
                "test_the_address_that_was_checked_is_the_one_that_is_connected_to",
            ),
        },
    ),
    "up": Requirement(
        "Ctrl-C and kill -9 leave no process; a second start finds its data.",
        {
            "placet/up/test_up.py": (
                "test_ctrl_c_leaves_nothing_and_a_second_start_finds_its_data",
                "test_a_password_is_made_and_kill_9_leaves_nothing",
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
    "conformance": Requirement(
        "The public conformance suite passes through the bridge in every revision it judges.",
        {
            "outside/test_conformance.py": (
                "test_every_scenario_that_a_revision_requires_passes_through_the_bridge",
            ),
        },
    ),
    "any-client": Requirement(
        "A client that nobody here wrote gets the outcome, and one that has gone executes nothing.",
        {
            "outside/test_clients.py": (
                "test_every_client_gets_the_outcome_of_a_call_that_people_took_long_to_approve",
            ),
        },
    ),
    "questions": Requirement(
        "What an upstream asks is refused, or reaches the agent of that very call, or the people, "
        "model or list that an admin chose; never another agent.",
        {
            "mcpbridge/server/test_questions.py": (
                "test_by_default_nobody_is_asked_and_the_refusal_is_definite",
                "test_two_agents_in_one_shared_session_each_hear_only_their_own_question",
                "test_an_agent_cannot_answer_for_somebody_else_by_answering_unasked",
                "test_the_kill_switch_lets_no_answer_leave",
                "test_a_person_answers_through_a_ticket_and_the_upstream_gets_what_was_typed",
            ),
            "mcpbridge/upstream/test_traffic.py": (
                "test_with_two_calls_in_flight_a_question_is_put_to_neither",
                "test_a_call_that_was_given_up_may_still_ask_so_nobody_else_is_asked",
            ),
            "mcpbridge/executor/test_tickets.py": (
                "test_a_modern_upstream_that_asks_during_an_approved_call_gets_no_second_send",
            ),
            "mcpbridge/questions/test_endpoint.py": (
                "test_every_exchange_is_on_record_with_who_model_tokens_and_sealed_words",
                "test_no_more_are_asked_in_a_minute_than_the_admin_allows",
            ),
        },
    ),
    "same-result": Requirement(
        "Every tool answers through the bridge as it does directly, from both eras.",
        {
            "outside/test_mixed.py": (
                "test_every_tool_of_every_kind_of_upstream_answers_as_directly_in_both_eras",
            ),
        },
    ),
    "short-road": Requirement(
        "A plain call is answered alike on the short road and on the SDK's; whoever is believed "
        "from memory is compared with the gate before anything of it counts.",
        {
            "mcpbridge/server/test_direct.py": (
                "test_both_roads_give_the_same_answer_to_the_same_request",
                "test_both_roads_say_the_same_while_a_call_takes_its_time",
                "test_both_roads_record_the_same",
                "test_a_revoked_token_is_refused_at_the_next_call_and_nothing_is_recorded",
                "test_a_revoked_token_gets_no_outcome_that_a_repeat_would_get",
            ),
        },
    ),
    "waiting-is-cheap": Requirement(
        "Waiting calls cost memory only, and keep neither other agents nor reviewers from working.",
        {
            "journeys/test_many_paused.py": (
                "test_more_than_a_hundred_paused_calls_keep_nobody_else_from_working",
            ),
        },
    ),
    "allowed-only": Requirement(
        "Resources, prompts and completion are forwarded only where policy allows them outright.",
        {
            "mcpbridge/server/test_prompts_and_resources.py": (
                "test_only_allow_lets_a_resource_be_read",
                "test_without_a_rule_there_are_no_resources_and_no_prompts",
                "test_the_kill_switch_stops_reading",
                "test_an_address_opens_no_upstream_that_the_agent_may_not_use",
            ),
        },
    ),
    "nothing-lost": Requirement(
        "What an upstream says in either era reaches an agent of either era whole.",
        {
            "mcpbridge/server/test_prompts_and_resources.py": (
                "test_resources_are_listed_and_read_between_any_two_eras",
                "test_prompts_and_completion_are_forwarded_between_any_two_eras",
                "test_nothing_that_a_resource_or_prompt_says_is_dropped",
                "test_what_a_tool_answers_comes_whole_between_any_two_eras",
            ),
        },
    ),
    "own-notifications": Requirement(
        "An agent hears only of what it asked for and may use, and only while its token is good.",
        {
            "mcpbridge/server/test_subscriptions.py": (
                "test_nothing_is_said_that_was_not_asked_for",
                "test_a_resource_that_may_not_be_read_is_not_watched",
                "test_a_revoked_token_ends_its_streams_within_seconds",
                "test_a_token_that_runs_out_ends_its_streams_though_nothing_moved_the_gate",
                "test_a_policy_that_changes_is_heard_of_and_closes_what_it_closes",
            ),
            "mcpbridge/upstream/test_traffic.py": (
                "test_a_log_message_goes_to_the_one_call_that_it_can_belong_to",
            ),
        },
    ),
    "told-once": Requirement(
        "Each event is told once by each channel, however many workers look and whatever fails.",
        {
            "approvals/courier/test_hearing.py": (
                "test_they_hear_of_it_once_however_often_somebody_looks",
                "test_at_half_time_one_reminder_comes_however_many_look",
            ),
            "approvals/courier/test_deliveries.py": (
                "test_a_failed_message_is_tried_again_with_the_same_id_and_then_no_more",
                "test_what_a_vanished_worker_began_for_a_chat_is_not_sent_twice",
                "test_a_worker_that_lost_its_lease_settles_nothing",
            ),
        },
    ),
    "told-whatever-is-lost": Requirement(
        "What is to be told is found in the rows: no lost message and no dead worker loses it.",
        {
            "approvals/courier/test_hearing.py": (
                "test_tickets_that_no_worker_saw_open_are_told_of_all_the_same",
            ),
            "approvals/courier/test_deliveries.py": (
                "test_what_a_vanished_worker_began_is_sent_by_the_next",
            ),
        },
    ),
    "told-what-they-may-see": Requirement(
        "Nobody is told of what they may not see at that moment, or what does not await them.",
        {
            "approvals/courier/test_hearing.py": (
                "test_whoever_was_demoted_while_the_message_waited_is_not_told",
                "test_whose_account_was_closed_is_not_told",
                "test_a_named_stranger_is_not_told_of_a_ticket_they_may_not_see",
                "test_whoever_voted_while_the_message_waited_is_not_told",
            ),
            "approvals/courier/test_deliveries.py": ("test_a_room_of_another_team_hears_nothing",),
        },
    ),
    "quiet-hours": Requirement(
        "Quiet hours hold messages until they end, but for urgent channels before a deadline.",
        {
            "approvals/courier/test_habits.py": (
                "test_quiet_hours_hold_a_message_until_they_end",
                "test_quiet_hours_are_broken_by_urgent_channels_alone_when_the_deadline_comes_first",
                "test_it_became_quiet_while_the_message_waited",
            ),
        },
    ),
    "on-call": Requirement(
        "Whoever is on call is told first, and everybody else when nothing happened.",
        {
            "approvals/courier/test_habits.py": (
                "test_whoever_is_on_call_is_told_first_and_everybody_else_if_nothing_happens",
                "test_a_decision_within_the_head_start_leaves_the_others_in_peace",
            ),
        },
    ),
    "messages-are-inert": Requirement(
        "What an agent wrote acts on nothing in mail, chat, push and webhooks; links are ours.",
        {
            "approvals/courier/test_messages.py": (
                "test_what_an_agent_wrote_is_inert_in_every_message",
                "test_a_push_message_says_a_number_and_nothing_of_the_call",
            ),
            "approvals/domain/test_outward.py": (
                "test_nothing_that_any_reader_of_messages_acts_on_is_left",
                "test_a_cut_never_leaves_half_a_spelling",
            ),
            "approvals/carriers/test_mail.py": (
                "test_no_line_break_of_a_subject_becomes_a_header",
            ),
        },
    ),
    "nothing-inside-is-reached": Requirement(
        "No channel makes Placet connect to an address inside, follow a redirect, or act.",
        {
            "approvals/carriers/test_push.py": (
                "test_an_endpoint_inside_is_never_posted_to",
                "test_a_redirect_is_not_followed",
            ),
            "approvals/carriers/test_webhook.py": (
                "test_a_name_that_resolves_to_an_address_inside_is_refused",
                "test_a_private_address_needs_an_admins_word",
            ),
            "approvals/carriers/test_chat.py": (
                "test_an_address_that_could_act_on_this_machine_is_refused_before_anything_is_begun",
                "test_a_private_address_is_refused_without_an_admins_word",
            ),
            "approvals/carriers/test_chat_child.py": (
                "test_it_opens_no_file_starts_no_program_and_connects_to_nothing_inside",
            ),
        },
    ),
    "step-up-over-this-ticket": Requirement(
        "A high-risk approval rests on a fresh passkey over this ticket, revision and person.",
        {
            "approvals/services/test_stepup.py": (
                "test_a_passkey_over_this_ticket_approves_it_and_is_kept",
                "test_an_approval_without_any_proof_is_refused",
                "test_an_answer_made_for_another_ticket_is_refused",
                "test_an_answer_made_for_an_older_revision_is_refused",
                "test_an_answer_that_another_person_gave_is_refused",
                "test_a_second_account_of_the_same_person_answers_for_itself_alone",
                "test_an_answer_counts_once",
                "test_a_question_is_over_after_two_minutes",
                "test_an_answer_from_elsewhere_or_by_nobody_is_refused",
                "test_an_answer_without_verification_of_its_owner_is_refused",
                "test_a_key_that_was_never_registered_is_refused",
                "test_a_key_that_was_removed_while_the_page_was_open_is_refused",
                "test_whoever_lost_the_vote_while_the_page_was_open_has_none_by_a_passkey",
                "test_a_code_does_where_a_passkey_is_asked_nothing",
                "test_the_target_is_typed_as_it_is_shown",
            ),
            "approvals/web/test_stepup.py": (
                "test_without_a_passkey_s_answer_the_form_comes_back_with_words",
                "test_a_foreign_page_cannot_ask",
            ),
            "browser/test_passkeys.py": (
                "test_a_passkey_from_its_registration_to_a_signed_approval_and_to_its_removal",
            ),
        },
    ),
    "step-up-verifies-offline": Requirement(
        "What a passkey signed is verified from the rows alone; nothing in them is bent unseen.",
        {
            "approvals/audit/test_approvals_verification.py": (
                "test_a_signed_approval_is_said_to_be_signed_by_whom_and_with_what",
                "test_what_was_signed_stays_verifiable_after_key_and_arguments_are_gone",
                "test_whatever_is_changed_in_a_proof_is_named",
                "test_a_proof_moved_to_another_ticket_is_named",
                "test_a_key_that_nobody_registered_signs_nothing",
                "test_an_approval_whose_proof_is_gone_breaks_the_command",
            ),
            "browser/test_passkeys.py": (
                "test_a_passkey_from_its_registration_to_a_signed_approval_and_to_its_removal",
            ),
        },
    ),
    "factors-on-record": Requirement(
        "A passkey or app comes after a recent password only, on record, and its owner is told.",
        {
            "approvals/web/test_factors.py": (
                "test_adding_a_passkey_asks_for_the_password_first",
                "test_a_passkey_that_comes_and_goes_is_on_record_and_told",
                "test_an_app_is_added_with_its_code_and_its_secret_is_sealed",
            ),
        },
    ),
    "edit": Requirement(
        "An edited call is judged again, carries no earlier vote, and runs as it was shown.",
        {
            "approvals/services/test_editing.py": (
                "test_an_edit_makes_a_new_revision_that_nobody_has_voted_on",
                "test_what_was_edited_and_approved_is_exactly_what_is_sent",
                "test_policy_judges_an_edited_call_again_and_a_denial_refuses_it",
                "test_obligations_of_an_edited_call_only_tighten",
                "test_under_four_eyes_an_editor_does_not_approve_their_own_version",
                "test_what_could_not_be_submitted_cannot_be_edited_to_either",
                "test_a_changed_edit_is_found_by_verification",
            ),
            "approvals/web/test_editing.py": (
                "test_an_argument_is_edited_in_two_steps",
                "test_what_is_not_touched_stays_as_it_was_to_the_byte",
                "test_an_edit_with_a_cut_value_is_not_approved_unopened",
            ),
            "approvals/domain/test_fitting.py": (
                "test_a_hostile_schema_checks_nothing_and_reaches_nothing",
            ),
            "approvals/test_state_machine.py": ("test_a_walk_notices_the_planted_bug",),
        },
    ),
    "edit-told": Requirement(
        "The agent is told which arguments a reviewer replaced, and with what.",
        {
            "mcpbridge/server/test_edited_journeys.py": (
                "test_an_agent_reads_which_arguments_ran_and_the_upstream_got_exactly_those",
                "test_an_agent_that_comes_back_reads_of_the_edit_before_and_after_the_decision",
            ),
            "mcpbridge/calls/test_outcome.py": (
                "test_whatever_becomes_of_an_edited_call_its_agent_reads_what_was_edited",
            ),
        },
    ),
    "attention": Requirement(
        "Talking about a ticket, handing it on or putting it away gives and takes nobody's vote.",
        {
            "approvals/services/test_attention.py": (
                "test_the_owner_is_asked_and_answers_and_both_stand_in_the_record",
                "test_a_ticket_is_handed_to_a_group_that_is_asked_and_to_no_other",
                "test_whoever_handed_a_ticket_on_may_still_decide",
                "test_a_ticket_that_was_put_away_comes_back_by_itself",
            ),
            "approvals/web/test_attending.py": (
                "test_a_question_is_asked_and_answered_on_the_ticket",
                "test_a_page_that_is_only_looked_at_changes_nothing",
            ),
        },
    ),
    "quorum-over-groups": Requirement(
        "Each group gives the approvals it owes, everybody for one group; one rejection ends it.",
        {
            "approvals/domain/test_seats.py": (
                "test_as_many_seats_are_filled_as_any_assignment_could",
                "test_no_vote_is_counted_twice_and_none_of_the_barred",
            ),
            "approvals/services/test_group_quorums.py": (
                "test_every_group_has_to_give_its_approvals",
                "test_one_rejection_of_any_group_ends_it",
                "test_quorums_that_their_groups_cannot_make_up_are_not_published",
            ),
            "mcpbridge/server/test_journeys.py": (
                "test_a_call_that_two_groups_have_to_approve_runs_once_both_did",
            ),
        },
    ),
    "standing-in": Requirement(
        "A stand-in votes once, never where either of the two may not, and only for as long.",
        {
            "approvals/services/test_delegation.py": (
                "test_a_stand_in_fills_no_second_seat",
                "test_nobody_stands_in_for_the_agent_s_owner",
                "test_the_agent_s_owner_stands_in_for_nobody_in_its_calls",
                "test_what_one_stands_in_for_is_not_passed_on",
                "test_a_stand_in_s_vote_lapses_with_the_absence",
                "test_nobody_waits_for_the_absent",
            ),
            "mcpbridge/server/test_journeys.py": (
                "test_a_stand_in_approves_for_whoever_is_away_and_the_agent_gets_its_result",
            ),
        },
    ),
    "escalation": Requirement(
        "A second group is asked in time, once, by the database's clock, and the digest stays.",
        {
            "approvals/services/test_group_quorums.py": (
                "test_the_second_group_is_asked_when_nobody_decided_in_time_and_not_before",
                "test_two_sweepers_escalate_once",
                "test_the_row_itself_refuses_an_escalation_too_early_or_after_the_deadline",
            ),
            "mcpbridge/server/test_journeys.py": (
                "test_a_call_that_nobody_decided_on_is_decided_by_the_second_group",
            ),
        },
    ),
    "floods": Requirement(
        "A flood is one row; rejecting it votes on each call and pauses its agent, who is told.",
        {
            "approvals/services/test_bursts.py": (
                "test_a_flood_stands_apart_and_the_rest_of_the_inbox_stays_readable",
                "test_all_are_rejected_by_one_vote_each_and_the_agent_is_paused",
                "test_who_has_no_vote_rejects_nothing_and_pauses_nobody",
                "test_a_paused_agent_goes_on_when_who_paused_it_or_an_admin_says_so",
            ),
            "mcpbridge/server/test_journeys.py": (
                "test_a_flood_is_rejected_and_its_agent_learns_that_it_is_paused",
            ),
        },
    ),
}
