"""Agents, upstreams and what passes between them."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
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
                "test_each_kind_of_client_gets_the_outcome_of_a_call_that_people_took_long_to_approve",
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
                "test_every_tool_of_several_kinds_of_upstream_answers_as_directly_in_both_eras",
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
                "test_dozens_of_paused_calls_keep_nobody_else_from_working",
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
                "test_two_starts_share_their_data_and_leave_nothing_by_ctrl_c_or_kill_9",
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
}
