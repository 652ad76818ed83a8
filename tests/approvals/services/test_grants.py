"""Standing permissions: as narrow as their pins, as strong as their ticket."""

from types import SimpleNamespace

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import AuditEvent, Grant
from approvals.services import people, submission
from approvals.services.decisions import annotate_unknown, revoke_approval
from approvals.services.grants import MISSING, GrantRefused, create_grant, revoke_grant, value_at
from tests.support import rings
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines

ONE = b'{"path":"/tmp/a","force":true,"tags":["x","y"]}'
OTHER = b'{"force":true,"path":"/tmp/b","tags":["x","y"]}'


def a_grant(cast, *, pins=None, **changes):
    walk = a_ticket(cast, arguments=ONE).approved_by(cast.bob)
    given = {"uid": walk.uid, "user": cast.bob, "max_uses": 2, "seconds": 600}
    grant = create_grant(**{**given, **changes}, pins={"/force": True} if pins is None else pins)
    walk.succeeded()
    api.mark_delivered(walk.uid)
    return SimpleNamespace(id=grant.id, walk=walk, view=grant)


def test_a_call_that_a_grant_covers_is_approved_at_once(cast, django_capture_on_commit_callbacks):
    grant = a_grant(cast)
    with django_capture_on_commit_callbacks(execute=True):
        walk = a_ticket(cast, arguments=OTHER).pending()
    assert walk.submitted.kind == "by_grant"
    assert walk.view.state is api.State.APPROVED
    assert walk.view.by_grant
    assert rings.rung_approved == [walk.uid]
    assert Grant.objects.get(pk=grant.id).uses == 1
    walk.claimed().sent().succeeded()


def test_each_use_is_counted_and_none_is_given_back(cast):
    grant = a_grant(cast, max_uses=1)
    first = a_ticket(cast, arguments=OTHER).pending()
    api.withdraw(uid=first.uid, agent_id=cast.robo)
    second = a_ticket(cast, arguments=OTHER).pending()
    assert second.submitted.kind == "opened"
    assert Grant.objects.get(pk=grant.id).uses == 1


@pytest.mark.parametrize(
    ("pins", "arguments"),
    [
        ({"/force": True}, b'{"force":false}'),
        ({"/force": True}, b'{"force":1}'),
        ({"/force": True}, b'{"force":"true"}'),
        ({"/force": True}, b'{"path":"/tmp/b"}'),
        ({"/path": "/tmp/a"}, OTHER),
        ({"/tags/0": "x"}, b'{"tags":["z","y"]}'),
        ({"": {"path": "/tmp/a", "force": True, "tags": ["x", "y"]}}, OTHER),
        ({"/force": True, "/path": "/tmp/a"}, OTHER),
    ],
)
def test_pins_hold_exactly_or_people_are_asked(cast, pins, arguments):
    a_grant(cast, pins=pins)
    assert a_ticket(cast, arguments=arguments).pending().submitted.kind == "opened"


@pytest.mark.parametrize(
    "change",
    [
        {"agent_id": uuid7()},
        {"upstream_id": uuid7()},
        {"tool_name": "delete_all"},
        {"tool_digest": b"x" * 32},
        {"upstream_digest": b"x" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_grant_is_for_this_agent_and_this_tool_as_it_was(cast, change):
    a_grant(cast)
    assert a_ticket(cast, arguments=OTHER, **change).pending().submitted.kind == "opened"


def test_a_grant_of_one_team_is_none_of_another(cast):
    a_grant(cast)
    team_id = people.ensure_team(slug="other", default_group="reviewers")
    walk = a_ticket(cast, arguments=OTHER, team_id=team_id).pending()
    assert walk.submitted.kind == "opened"


def test_a_grant_ends_at_its_deadline(cast):
    a_grant(cast, seconds=600)
    with later(601):
        assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_an_unknown_outcome_disables_grants_for_its_call_until_somebody_looked(cast):
    a_grant(cast)
    walk = a_ticket(cast, arguments=OTHER).pending().claimed().unknown()
    api.mark_delivered(walk.uid)
    again = a_ticket(cast, arguments=OTHER).pending()
    assert again.submitted.kind == "opened"
    again.rejected_by(cast.bob)
    api.mark_delivered(again.uid)
    annotate_unknown(uid=walk.uid, user=cast.bob, ran=False, evidence="looked")
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "by_grant"


def test_a_policy_that_became_stricter_is_not_undercut(cast):
    a_grant(cast)
    a_policy(quorum=2)
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_a_grant_has_what_its_ticket_needed_from_everybody(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).approved_by(cast.bob)
    given = {"uid": walk.uid, "user": cast.bob, "pins": {"/force": True}}
    with pytest.raises(GrantRefused, match="people have to approve"):
        create_grant(**given, max_uses=1, seconds=60)
    walk.approved_by(cast.carol)
    assert create_grant(**given, max_uses=1, seconds=60).max_uses == 1


def test_only_somebody_who_approved_makes_the_grant(cast):
    walk = a_ticket(cast, arguments=ONE).approved_by(cast.bob)
    given = {"uid": walk.uid, "pins": {"/force": True}, "max_uses": 1, "seconds": 60}
    with pytest.raises(GrantRefused, match="who approved"):
        create_grant(**given, user=cast.carol)
    for user in (cast.alice, cast.charlie, cast.dora):
        with pytest.raises(api.NotVisible):
            create_grant(**given, user=user)
    with pytest.raises(api.NotVisible):
        create_grant(**{**given, "uid": uuid7()}, user=cast.bob)


def test_who_owns_the_agent_by_now_makes_no_grant(cast):
    walk = a_ticket(cast, arguments=ONE).approved_by(cast.bob)
    rings.owners[cast.robo] = cast.bob.person_id
    with pytest.raises(GrantRefused, match="belongs to you"):
        create_grant(uid=walk.uid, user=cast.bob, pins={"": 1}, max_uses=1, seconds=60)


def test_a_rejected_or_revoked_call_makes_no_grant(cast):
    rejected = a_ticket(cast, arguments=ONE).rejected_by(cast.bob)
    given = {"user": cast.bob, "pins": {"/force": True}, "max_uses": 1, "seconds": 60}
    with pytest.raises(GrantRefused):
        create_grant(uid=rejected.uid, **given)
    revoked = a_ticket(cast, arguments=OTHER).approved_by(cast.bob)
    revoke_approval(uid=revoked.uid, user=cast.bob)
    with pytest.raises(GrantRefused):
        create_grant(uid=revoked.uid, **given)


def test_a_grant_breeds_no_grant(cast):
    a_grant(cast)
    walk = a_ticket(cast, arguments=OTHER).pending()
    with pytest.raises(GrantRefused, match="grant"):
        create_grant(uid=walk.uid, user=cast.bob, pins={"/force": True}, max_uses=1, seconds=60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pins": {}}, "pins"),
        ({"pins": {"force": True}}, "pointer"),
        ({"pins": {"/force": False}}, "does not hold"),
        ({"pins": {"/nowhere": None}}, "does not hold"),
        ({"pins": {f"/{n}": n for n in range(51)}}, "pins"),
        ({"max_uses": 0}, "uses"),
        ({"max_uses": 1001}, "uses"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 31 * 24 * 3600}, "seconds"),
    ],
)
def test_a_grant_out_of_bounds_is_refused(cast, changes, words):
    with pytest.raises(GrantRefused, match=words):
        a_grant(cast, **changes)
    assert Grant.objects.count() == 0


def test_revoking_a_grant_cancels_what_is_not_sent_and_opens_nothing_more(
    cast, django_capture_on_commit_callbacks
):
    grant = a_grant(cast)
    unsent = a_ticket(cast, arguments=OTHER).pending()
    sent = a_ticket(cast, arguments=b'{"force":true}').pending().claimed().sent()
    with django_capture_on_commit_callbacks(execute=True):
        assert revoke_grant(grant_id=grant.id, user=cast.carol) == 1
    assert unsent.view.cancel_reason is api.CancelReason.GRANT_REVOKED
    assert sent.view.state is api.State.SENT
    assert rings.rung_ended == [unsent.uid]
    assert revoke_grant(grant_id=grant.id, user=cast.carol) == 0
    walk = a_ticket(cast, arguments=b'{"force":true,"n":1}').pending()
    assert walk.submitted.kind == "opened"
    assert AuditEvent.objects.filter(subject=f"grant:{grant.id}", action="grant_revoked").exists()


def test_strangers_revoke_no_grant(cast):
    grant = a_grant(cast)
    for user in (cast.alice, cast.charlie):
        with pytest.raises(api.NotVisible):
            revoke_grant(grant_id=grant.id, user=user)
    with pytest.raises(api.NotVisible):
        revoke_grant(grant_id=uuid7(), user=cast.bob)
    assert revoke_grant(grant_id=grant.id, user=cast.dora) == 0


def test_a_grant_that_is_spent_in_the_same_moment_asks_people(cast, monkeypatch):
    grant = a_grant(cast, max_uses=1)
    a_ticket(cast, arguments=OTHER).pending()
    monkeypatch.setattr(submission, "matching_grants", lambda ticket, arguments: [grant.id])
    walk = a_ticket(cast, arguments=b'{"force":true,"n":1}').pending()
    assert walk.submitted.kind == "opened"
    assert Grant.objects.get(pk=grant.id).uses == 1


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a/b": {"~": [1, None]}}),
        ("/a~1b/~0/0", 1),
        ("/a~1b/~0/1", None),
    ],
)
def test_pointers_are_followed_as_their_standard_says(pointer, found):
    assert value_at({"a/b": {"~": [1, None]}}, pointer) == found


@pytest.mark.parametrize(
    "pointer", ["/x", "/a~1b/~0/2", "/a~1b/~0/-1", "/a~1b/~0/01", "/a~1b/~0/0/0", "/a~1b/~0/²"]
)
def test_a_pointer_to_nothing_finds_nothing(pointer):
    assert value_at({"a/b": {"~": [1, None]}}, pointer) is MISSING
