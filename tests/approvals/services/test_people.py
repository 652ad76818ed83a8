"""People, accounts, teams and groups, as configuration and admin pages make them."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from uuid6 import uuid7

from approvals import api
from approvals.models import AuditEvent, Person, User
from tests.support.builders import a_policy


def test_an_account_comes_with_a_person(cast):
    view = api.create_user(email="Eve@Example.test", password="long enough", name="Eve")
    user = User.objects.get(email="eve@example.test")
    assert (view.id, view.name, view.emails) == (user.person_id, "Eve", ("eve@example.test",))
    assert user.check_password("long enough")
    assert not view.is_admin


def test_a_second_account_belongs_to_the_same_person(cast):
    view = api.create_user(email="bob2@example.test", password=None, person_id=cast.bob.person_id)
    assert view.emails == ("bob2@example.test", "bob@example.test")
    assert not User.objects.get(email="bob2@example.test").has_usable_password()


def test_an_address_is_taken_once(cast):
    with pytest.raises(ValueError, match="already an account"):
        api.create_user(email="BOB@example.test", password=None)


def test_ensuring_a_person_again_resets_no_password_but_sets_the_roles(cast):
    person_id = api.ensure_person(email="bob@example.test", password="other", is_auditor=True)
    cast.bob.refresh_from_db()
    assert person_id == cast.bob.person_id
    assert cast.bob.check_password("bob-long-password")
    person = Person.objects.get(pk=person_id)
    assert (person.name, person.is_auditor, person.is_admin) == ("bob", True, False)
    assert AuditEvent.objects.filter(subject=f"person:{person_id}", action="roles_changed").exists()


def test_ensuring_what_is_there_changes_and_records_nothing(cast):
    before = AuditEvent.objects.count()
    api.ensure_person(email="bob@example.test")
    api.ensure_group(slug="reviewers")
    api.ensure_team(slug="ops", default_group="reviewers")
    api.set_members(group="reviewers", people=[cast.bob.person_id, cast.carol.person_id])
    assert AuditEvent.objects.count() == before


def test_names_can_change(cast):
    api.ensure_group(slug="reviewers", name="The reviewers")
    api.ensure_team(slug="ops", name="The operators")
    directory = api.directory()
    assert [group.name for group in directory.groups] == ["The reviewers"]
    assert [team.name for team in directory.teams] == ["The operators"]
    assert directory.teams[0].default_group == cast.group_id


def test_members_are_exactly_who_is_named(cast):
    api.set_members(group="reviewers", people=[cast.carol.person_id, cast.charlie.person_id])
    (group,) = api.directory().groups
    assert set(group.members) == {cast.carol.person_id, cast.charlie.person_id}
    event = AuditEvent.objects.filter(subject=f"group:{group.id}").latest("seq")
    assert event.action == "members_set"
    api.set_members(team="ops", people=[])
    assert api.directory().teams[0].members == ()


def test_a_group_does_not_become_smaller_than_the_policy_in_force_asks_for(cast):
    a_policy(quorum=2)
    with pytest.raises(api.QuorumUnreachable, match="of reviewers only 1 can sign in"):
        api.set_members(group="reviewers", people=[cast.bob.person_id])
    (group,) = api.directory().groups
    assert len(group.members) == 2
    api.set_members(group="reviewers", people=[cast.bob.person_id, cast.charlie.person_id])


def test_a_team_is_not_given_a_group_that_is_too_small_for_the_policy_in_force(cast):
    a_policy(quorum=2)
    api.ensure_group(slug="small")
    with pytest.raises(api.QuorumUnreachable, match="of small only 0 can sign in"):
        api.ensure_team(slug="ops", default_group="small")
    assert api.directory().teams[0].default_group == cast.group_id


def test_a_team_needs_a_group_that_exists(cast):
    with pytest.raises(ValueError, match="no reviewer group 'ghosts'"):
        api.ensure_team(slug="new", default_group="ghosts")


@pytest.mark.parametrize("scope", [{}, {"group": "reviewers", "team": "ops"}])
def test_members_are_set_for_one_thing_at_a_time(cast, scope):
    with pytest.raises(ValueError, match="either"):
        api.set_members(people=[], **scope)


def test_the_directory_takes_a_constant_number_of_queries(cast, django_assert_num_queries):
    for number in range(5):
        api.create_user(email=f"more{number}@example.test", password=None)
        api.ensure_team(slug=f"team{number}")
    with django_assert_num_queries(6):
        directory = api.directory()
    assert len(directory.people) == 10


def test_only_an_admins_live_account_is_an_admin(cast):
    assert api.is_admin(cast.dora) is True
    assert api.is_admin(cast.bob) is False
    assert api.is_admin(AnonymousUser()) is False
    cast.dora.is_active = False
    assert api.is_admin(cast.dora) is False
    assert api.accounts_person(cast.dora) is None
    assert api.accounts_person(cast.bob) == cast.bob.person_id
    assert api.accounts_person(AnonymousUser()) is None


def test_a_membership_of_a_person_who_does_not_exist_is_refused(cast):
    def store() -> None:
        with transaction.atomic():
            api.set_members(group="reviewers", people=[uuid7()])
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        store()
