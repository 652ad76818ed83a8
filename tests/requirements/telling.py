"""Being told."""

from tests.requirements.promise import Requirement

PROMISES: dict[str, Requirement] = {
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
}
