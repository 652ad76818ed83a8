"""Whoever decides: permissions, edits, groups, absence, proof and attention."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
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
                "test_a_grant_rests_on_people_who_could_still_give_it",
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
    "grant-uses": Requirement(
        "A grant is consumed when it opens a ticket, never more often than it may be.",
        {
            "race/test_execution.py": ("test_a_grant_is_never_used_more_often_than_it_may_be",),
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
            "mcpbridge/server/test_verbs.py": (
                "test_a_call_that_was_edited_needs_new_votes_and_its_agent_reads_what_ran",
            ),
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
            "mcpbridge/server/test_verbs.py": (
                "test_what_people_say_to_each_other_reaches_no_agent",
            ),
        },
    ),
    "second-thoughts": Requirement(
        "A vote is taken back while people decide, an approval until the call was sent.",
        {
            "mcpbridge/server/test_verbs.py": (
                "test_a_quorum_of_two_runs_once_both_agree_and_a_vote_taken_back_is_none",
                "test_an_approval_that_is_revoked_before_the_send_reaches_only_the_agent",
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
            "mcpbridge/server/test_verbs.py": (
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
                "test_a_stand_in_has_the_vote_from_the_beginning_of_the_absence_to_its_end",
                "test_nobody_waits_for_the_absent",
            ),
            "race/test_once.py": (
                "test_nobody_is_away_twice_at_a_time_so_that_their_vote_is_in_one_hand",
            ),
            "mcpbridge/server/test_verbs.py": (
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
            "mcpbridge/server/test_verbs.py": (
                "test_a_call_that_nobody_decided_on_is_decided_by_the_second_group",
            ),
        },
    ),
    "floods": Requirement(
        "A flood is one row; rejecting what is shown of it pauses its agent first, who is told.",
        {
            "approvals/services/test_bursts.py": (
                "test_a_flood_stands_apart_and_the_rest_of_the_inbox_stays_readable",
                "test_all_are_rejected_by_one_vote_each_and_the_agent_is_paused",
                "test_the_agent_is_paused_before_the_first_call_is_rejected",
                "test_nobody_else_s_calls_are_rejected_and_nobody_else_is_paused",
                "test_a_call_that_came_after_the_page_is_left_for_another_look",
                "test_who_has_no_vote_rejects_nothing_and_pauses_nobody",
                "test_a_paused_agent_goes_on_when_who_paused_it_or_an_admin_says_so",
            ),
            "mcpbridge/server/test_verbs.py": (
                "test_a_flood_is_rejected_and_its_agent_learns_that_it_is_paused",
            ),
        },
    ),
    "room": Requirement(
        "An agent never has more open tickets than it may, however many calls come at once.",
        {
            "approvals/services/test_submission.py": (
                "test_an_agent_has_only_so_many_open_tickets",
            ),
            "race/test_once.py": ("test_two_calls_at_once_do_not_both_get_the_agents_last_place",),
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
    "decisions-refused": Requirement(
        "Nobody decides by looking, from elsewhere, with a token, on what they did not see, or "
        "without the vote of this moment; no socket opens to them or tells them of others' calls.",
        {
            "placet/test_every_address.py": (
                "test_no_address_acts_when_looked_at_or_lets_anybody_in_who_may_not",
            ),
            "browser/test_hostile.py": (
                "test_a_page_of_another_origin_shows_no_ticket_and_decides_on_none",
            ),
            "approvals/web/test_deciding.py": (
                "test_a_post_from_another_origin_is_refused",
                "test_people_without_a_vote_see_no_form_and_are_refused",
                "test_a_stranger_cannot_tell_a_hidden_ticket_from_none",
                "test_the_owner_in_the_group_may_reject_but_not_approve",
                "test_a_second_account_of_the_agent_s_owner_does_not_approve",
                "test_a_digest_that_is_not_the_tickets_is_a_conflict_shown_first",
                "test_a_page_that_was_open_when_its_reader_was_demoted_decides_nothing",
            ),
            "approvals/test_consumers.py": (
                "test_another_origin_is_turned_away",
                "test_whoever_is_not_signed_in_is_turned_away",
                "test_an_agents_token_opens_no_socket",
                "test_other_teams_hear_nothing",
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
    "batches": Requirement(
        "Deciding several tickets at once is a vote on each, and skips nothing that one asks for.",
        {
            "approvals/web/test_batches.py": (
                "test_approving_many_is_one_decision_each",
                "test_what_deserves_a_look_of_its_own_is_not_approved_with_others",
                "test_a_ticket_that_asks_for_more_than_a_click_is_approved_by_itself",
                "test_each_ticket_is_answered_by_itself",
                "test_strangers_and_owners_decide_nothing_in_a_batch",
                "test_a_get_decides_nothing",
            ),
        },
    ),
}
