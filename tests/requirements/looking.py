"""Looking back: the history, its file, the measures, and the words of it all."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
    "history": Requirement(
        "The history finds what one may see and nothing else, at a cost that does not grow.",
        {
            "approvals/selectors/test_searching.py": (
                "test_each_filter_narrows_to_what_it_says",
                "test_the_same_is_found_whichever_way_leads_there",
                "test_a_ticket_is_found_by_its_number_by_who_may_see_it",
                "test_a_group_outside_the_team_finds_only_what_it_is_asked_about",
                "test_neither_near_nor_far_back_does_anybody_find_what_they_may_not_see",
                "test_names_and_people_of_others_are_neither_counted_nor_in_the_way",
                "test_a_page_that_looked_at_enough_says_how_far_and_goes_on",
                "test_a_page_costs_the_same_however_many_there_are",
            ),
            "approvals/web/test_history.py": (
                "test_pages_follow_each_other_by_key_and_keep_the_filters",
                "test_an_unreadable_address_shows_the_newest",
            ),
        },
    ),
    "spreadsheet": Requirement(
        "The file of the history holds what the page shows, and no cell that a program would run.",
        {
            "approvals/web/test_history.py": (
                "test_the_file_holds_what_the_page_shows",
                "test_a_cell_that_a_spreadsheet_would_run_is_text",
                "test_a_cell_is_none_that_parts_into_a_formula_at_its_semicolons",
                "test_a_cell_spells_out_what_nobody_sees",
            ),
        },
    ),
    "hostile-texts": Requirement(
        "What agents and upstreams write is seen and acts on no page, file, terminal, mail or log.",
        {
            "approvals/web/test_hostile_names.py": (
                "test_on_no_page_does_the_name_of_anything_act",
            ),
            "approvals/web/test_hostile_text.py": (
                "test_the_judge_notices_markup_that_was_not_escaped",
                "test_arguments_and_their_schema",
                "test_the_difference_to_an_earlier_call",
                "test_what_an_upstream_answered",
                "test_a_payload_in_the_middle_of_a_megabyte_is_cut_and_blocks_the_approval",
                "test_no_audit_row_holds_a_word_of_it",
            ),
            "approvals/web/test_hostile_pages.py": (
                "test_no_cell_of_a_file_is_a_formula_wherever_a_spreadsheet_parts_it",
                "test_the_form_that_edits_them_and_what_it_would_change",
                "test_what_an_upstream_asks_people_to_fill_in",
            ),
            "approvals/presenters/test_hostile_messages.py": (
                "test_names_of_agents_tools_and_people_in_every_kind_of_message",
                "test_arguments_where_a_channel_wants_to_know_them",
            ),
            "mcpbridge/web/test_hostile_tools.py": (
                "test_tools_that_are_held_in_use_or_changed",
                "test_errors_names_labels_and_rules",
            ),
            "placet/test_hostile_terminal.py": (
                "test_a_ticket_and_its_approvals",
                "test_rows_that_somebody_wrote_into_by_hand",
                "test_tools_as_an_upstream_describes_them_in_a_file_for_apply",
                "test_what_the_sample_agent_was_told",
            ),
            "placet/test_logs.py": ("test_a_hostile_text_in_a_record_is_one_line_of_plain_ascii",),
        },
    ),
    "measures": Requirement(
        "How decisions are made is counted from the votes, and told of oneself or to admins alone.",
        {
            "approvals/selectors/test_measures.py": (
                "test_votes_are_counted_by_person_and_verdict",
                "test_an_approval_within_seconds_of_seeing_the_page_is_quick",
                "test_who_posts_a_nonce_cannot_claim_to_have_looked_longer",
                "test_agreement_is_with_others_on_the_ticket_else_on_the_tool",
                "test_tests_are_counted_by_themselves",
            ),
            "approvals/web/test_measures.py": (
                "test_an_administrator_sees_everybody_and_a_reviewer_only_themselves",
            ),
        },
    ),
    "languages": Requirement(
        "Every sentence is said in both languages, and every time in its reader's zone.",
        {
            "placet/test_language.py": (
                "test_every_sentence_is_said_in_german",
                "test_a_refusal_in_words_of_its_own_can_be_translated",
                "test_a_translation_has_the_places_of_its_sentence",
                "test_the_compiled_catalogue_is_that_of_the_words",
                "test_a_place_that_is_lost_or_invented_is_noticed",
            ),
            "approvals/web/test_locality.py": (
                "test_what_a_person_chose_counts_before_what_their_browser_asks_for",
                "test_before_signing_in_the_browser_is_asked",
                "test_moments_are_told_in_the_chosen_zone",
                "test_a_language_or_zone_that_nobody_offers_is_not_kept",
            ),
        },
    ),
}
