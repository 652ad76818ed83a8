"""Who sees what."""

import pytest

from approvals import api
from approvals.models import Ticket
from approvals.selectors.history import ticket_for
from approvals.selectors.visibility import may_see, tickets_visible_to
from approvals.services import people
from tests.support.builders import a_policy, a_ticket

pytestmark = pytest.mark.both_engines


def seen_by(user):
    return set(tickets_visible_to(user.person).values_list("uid", flat=True))


def test_a_ticket_is_seen_by_its_team_its_groups_its_owner_and_nobody_else(cast):
    walk = a_ticket(cast).pending()
    for user in (cast.alice, cast.bob, cast.carol, cast.dora):
        assert seen_by(user) == {walk.uid}
    assert seen_by(cast.charlie) == set()


def test_a_group_named_by_policy_sees_the_ticket_without_being_in_the_team(cast):
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[cast.charlie.person_id])
    hidden = a_ticket(cast, arguments=b'{"n":1}').pending()
    a_policy(groups=["security"])
    shown = a_ticket(cast, arguments=b'{"n":2}').pending()
    assert seen_by(cast.charlie) == {shown.uid}
    assert hidden.uid in seen_by(cast.bob)


def test_leaving_team_and_group_hides_the_ticket(cast):
    walk = a_ticket(cast).pending()
    people.set_members(team="ops", people=[cast.alice.person_id, cast.bob.person_id])
    assert seen_by(cast.carol) == {walk.uid}  # still in the group that decides
    people.set_members(group="reviewers", people=[cast.bob.person_id])
    assert seen_by(cast.carol) == set()


def test_the_owner_at_submission_sees_it_without_team_or_group(cast):
    walk = a_ticket(cast, person_id=cast.charlie.person_id).pending()
    assert seen_by(cast.charlie) == {walk.uid}


def test_an_auditor_sees_everything_and_votes_on_nothing(cast):
    people.ensure_person(email="charlie@example.test", is_auditor=True)
    cast.charlie.person.refresh_from_db()
    walk = a_ticket(cast).pending()
    assert seen_by(cast.charlie) == {walk.uid}
    try:
        walk.voted(cast.charlie, api.Answer.APPROVE)
    except api.NotEligible:
        pass
    else:
        raise AssertionError("an auditor voted")


def test_being_superuser_shows_nothing(cast):
    a_ticket(cast).pending()
    cast.charlie.is_superuser = cast.charlie.is_staff = True
    cast.charlie.save()
    assert seen_by(cast.charlie) == set()


def test_a_hidden_ticket_and_an_absent_one_look_the_same(cast):
    walk = a_ticket(cast).pending()
    assert ticket_for(cast.charlie.person, walk.uid) is None
    assert ticket_for(cast.bob.person, cast.robo) is None
    assert ticket_for(cast.bob.person, walk.uid).pk == walk.ticket.pk
    assert may_see(cast.bob.person, walk.ticket)
    assert not may_see(cast.charlie.person, walk.ticket)


def test_a_person_in_team_and_group_sees_each_ticket_once(cast):
    a_ticket(cast).pending()
    assert tickets_visible_to(cast.bob.person).count() == Ticket.objects.count() == 1
