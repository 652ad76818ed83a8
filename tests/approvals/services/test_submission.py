"""Opening tickets, and everything that keeps a call from becoming one."""

import pytest
from django.db import IntegrityError, connection
from uuid6 import uuid7

from approvals import api, transitions
from approvals.audit.sealing import unseal
from approvals.models import AuditEvent, Gate, Payload, Ticket
from approvals.services import new_ticket, people, submission
from tests.support import rings
from tests.support.builders import a_call, a_policy, a_ticket, judged

pytestmark = pytest.mark.both_engines


def test_a_paused_call_becomes_a_ticket_of_exactly_that_call(cast):
    walk = a_ticket(cast).pending()
    ticket = walk.ticket
    assert walk.submitted.kind == "opened"
    assert walk.view.state is api.State.PENDING
    assert unseal(ticket.arguments) == walk.call.arguments
    assert unseal(ticket.agent_says) == b"The report is outdated."
    assert ticket.obligations["groups"] == ["reviewers"]
    assert [group.slug for group in ticket.groups.all()] == ["reviewers"]
    assert walk.view.groups == ("Reviewers",)
    assert walk.view.path == f"/tickets/{walk.uid}/"


def test_what_the_policy_of_now_says_is_kept_with_the_ticket(cast):
    version = a_policy(quorum=2, approval_seconds=60)
    ticket = a_ticket(cast).pending().ticket
    assert ticket.policy_id == version
    assert ticket.verdict["effect"] == "require_approval"
    assert ticket.obligations["quorum"] == 2
    assert 55 < (ticket.approval_expires_at - ticket.created_at).total_seconds() <= 61


def test_the_audit_row_of_an_opening_holds_no_plain_text(cast):
    walk = a_ticket(cast, arguments=b'{"secret":"hunter2"}').pending()
    (event,) = AuditEvent.objects.filter(subject=f"ticket:{walk.uid}")
    assert "hunter2" not in str(event.detail)
    assert "outdated" not in str(event.detail)
    assert event.detail["digest"] == bytes(walk.ticket.digest).hex()


def test_arguments_are_not_stored_in_the_clear(cast):
    a_ticket(cast, arguments=b'{"secret":"hunter2"}').pending()
    assert all(b"hunter2" not in bytes(payload.ciphertext) for payload in Payload.objects.all())


def test_a_call_judged_under_an_older_authority_is_judged_again(cast):
    call = a_call(cast)
    stale = judged(call)
    a_policy(quorum=2)
    with pytest.raises(api.AuthorityChanged):
        api.submit(call=call, judgement=stale)
    assert Ticket.objects.count() == 0


def test_nothing_opens_while_the_kill_switch_is_on(cast):
    call = a_call(cast)
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    with pytest.raises(api.KillSwitchOn):
        api.submit(call=call, judgement=judged(call))
    assert Ticket.objects.count() == 0


def test_a_denied_call_is_no_ticket(cast):
    api.publish_policy(document={"rules": [{"name": "never", "effect": "deny"}]})
    call = a_call(cast)
    with pytest.raises(api.PolicyDenied):
        api.submit(call=call, judgement=judged(call))


def test_an_allowed_call_is_no_ticket(cast):
    api.publish_policy(document={"rules": [{"name": "always", "effect": "allow"}]})
    call = a_call(cast)
    with pytest.raises(ValueError, match="no ticket"):
        api.submit(call=call, judgement=judged(call))


def test_an_agent_has_only_so_many_open_tickets(cast):
    for number in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % number, max_open_tickets=3).pending()
    with pytest.raises(api.TooManyOpenTickets) as refusal:
        a_ticket(cast, arguments=b'{"n":4}', max_open_tickets=3).pending()
    assert refusal.value.details["limit"] == 3
    # A repeat of an open one opens nothing, and another agent has its own places.
    again = a_ticket(cast, arguments=b'{"n":1}', max_open_tickets=3).pending()
    assert again.submitted.kind == "attached"
    other = a_ticket(cast, agent_id=uuid7(), arguments=b'{"n":4}', max_open_tickets=3)
    assert other.pending().submitted.kind == "opened"


def test_a_ticket_that_is_over_frees_its_place(cast):
    a_ticket(cast, arguments=b'{"n":1}', max_open_tickets=1).rejected_by(cast.bob)
    walk = a_ticket(cast, arguments=b'{"n":2}', max_open_tickets=1).pending()
    assert walk.submitted.kind == "opened"


def test_nobody_is_asked_for_more_approvals_than_can_be_given(cast):
    people.set_members(group="reviewers", people=[cast.alice.person_id, cast.bob.person_id])
    a_policy(quorum=2)
    with pytest.raises(api.QuorumUnreachable):
        a_ticket(cast).pending()  # alice owns the agent, so only bob is left
    assert Ticket.objects.count() == 0


def test_who_owns_the_agent_by_now_is_not_counted_as_a_reviewer(cast):
    a_policy(quorum=2)
    rings.owners[cast.robo] = cast.carol.person_id
    with pytest.raises(api.QuorumUnreachable):
        a_ticket(cast).pending()


def test_a_team_without_reviewers_cannot_pause_calls(cast):
    team_id = people.ensure_team(slug="lonely")
    with pytest.raises(api.QuorumUnreachable, match="lonely"):
        a_ticket(cast, team_id=team_id).pending()


def test_a_held_call_names_who_holds_it_and_no_other_call_does(cast):
    call = a_call(cast, waiting=api.Waiting.HELD)
    with pytest.raises(ValueError, match="holds"):
        api.submit(call=call, judgement=judged(call))
    call = a_call(cast, waiting=api.Waiting.TASK, holder_id=api.start_holder())
    with pytest.raises(ValueError, match="holds"):
        api.submit(call=call, judgement=judged(call))


def test_a_rerun_names_the_unknown_outcome_that_it_repeats(cast):
    first = a_ticket(cast).unknown()
    second = a_ticket(cast, retry_of=first.uid).pending()
    assert second.submitted.kind == "opened"
    assert second.ticket.retry_of_id == first.ticket.pk


def test_only_an_unknown_outcome_of_the_same_agent_is_run_again(cast):
    first = a_ticket(cast).succeeded()
    with pytest.raises(Ticket.DoesNotExist):
        a_ticket(cast, arguments=b"{}", retry_of=first.uid).pending()


def test_misleading_characters_raise_the_mark_of_a_call(cast):
    plain = a_ticket(cast, arguments=b'{"path":"/tmp/a"}').pending().ticket
    trick = a_ticket(cast, arguments='{"path":"/tmp/\u202egpj.exe"}'.encode()).pending().ticket
    assert (plain.risk, trick.risk) == ("medium", "high")


def test_two_processes_that_open_the_same_call_at_once_make_one_ticket(cast, monkeypatch):
    """The unique index decides; the loser reads again and attaches."""
    first = a_ticket(cast).pending()
    looks = []

    def blind_at_first(keys):
        looks.append(keys)
        return None if len(looks) == 1 else Ticket.objects.get(uid=first.uid)

    monkeypatch.setattr(submission, "newest_like", blind_at_first)
    second = a_ticket(cast).pending()
    assert (second.submitted.kind, second.uid) == ("attached", first.uid)
    assert Ticket.objects.count() == 1


def test_another_violated_constraint_is_not_mistaken_for_a_repeat(cast, monkeypatch):
    def broken(**kwargs):
        raise IntegrityError("something else")

    monkeypatch.setattr(transitions, "open_pending", broken)
    with pytest.raises(IntegrityError):
        a_ticket(cast).pending()
    assert Payload.objects.count() == 0


def test_what_is_shown_to_the_agent_has_no_other_agents_tickets(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(api.NotVisible):
        api.view(uid=walk.uid, agent_id=uuid7())
    with pytest.raises(api.NotVisible):
        api.view(uid=uuid7(), agent_id=cast.robo)


def test_arguments_are_looked_through_before_the_transaction_holds_any_lock(cast, monkeypatch):
    depths = []
    outside = len(connection.savepoint_ids)
    look = new_ticket.argument_rows

    def recorded(*args, **named):
        depths.append(len(connection.savepoint_ids))
        return look(*args, **named)

    monkeypatch.setattr(new_ticket, "argument_rows", recorded)
    a_ticket(cast).pending()
    assert depths == [outside]


def test_opening_a_ticket_takes_few_statements(cast, django_assert_max_num_queries):
    a_ticket(cast, arguments=b'{"path":"/tmp/first"}').pending()
    with django_assert_max_num_queries(15):  # a dozen, judging, and PostgreSQL's lock on the agent
        a_ticket(cast, arguments=b'{"path":"/tmp/second"}').pending()
