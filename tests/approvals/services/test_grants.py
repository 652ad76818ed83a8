"""Standing permissions: as narrow as their pins, as strong as their ticket."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid6 import uuid7

from approvals import api
from approvals.audit.verification import verify
from approvals.domain.canonical import canonical_bytes
from approvals.domain.pins import Terms, members, without
from approvals.models import AgreedTerms, AuditEvent, Grant, User
from approvals.selectors import grants as selectors
from approvals.services import editing, people, submission
from approvals.services import grants as service
from approvals.services.decisions import annotate_unknown, decide, revoke_approval
from approvals.services.grants import GrantRefused, RejectedBefore, Wanted, revoke_grant
from tests.support import rings
from tests.support.builders import a_policy, a_ticket, killed
from tests.support.clock import later

ONE = b'{"force":true,"path":"/tmp/a","tags":["x","y"]}'
OTHER = b'{"force":true,"path":"/tmp/b","tags":["x","y"]}'
ANOTHER = b'{"force":true,"path":"/tmp/c","tags":["x","y"]}'
SESSION = "5e55" * 16


def terms(free=("/path",), **changes):
    given = {"session_only": False, "max_uses": 2, "seconds": 600, **changes}
    return Terms(free=tuple(free), **given)


def approve(walk, user, agreed=None, *, confirmed=False, nonce=None):
    """One person's approval, which agrees to these terms as well."""
    return decide(
        uid=walk.uid,
        user=user,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce=nonce or str(uuid7()),
        grant=Wanted(terms=agreed, confirmed=confirmed) if agreed else None,
    )


def a_grant(cast, agreed=None, *, call=None, **changes):
    walk = a_ticket(cast, arguments=ONE, **(call or {})).pending()
    decided = approve(walk, cast.bob, agreed or terms(**changes))
    walk.claimed().succeeded()
    api.mark_delivered(walk.uid)
    return SimpleNamespace(id=decided.grant, walk=walk)


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
    assert verify() == []


def test_each_use_is_counted_and_none_is_given_back(cast):
    grant = a_grant(cast, max_uses=1)
    first = a_ticket(cast, arguments=OTHER).pending()
    api.withdraw(uid=first.uid, agent_id=cast.robo)
    second = a_ticket(cast, arguments=ANOTHER).pending()
    assert second.submitted.kind == "opened"
    assert Grant.objects.get(pk=grant.id).uses == 1


@pytest.mark.parametrize(
    ("free", "arguments"),
    [
        (["/path"], b'{"force":false,"path":"/tmp/a","tags":["x","y"]}'),
        (["/path"], b'{"force":1,"path":"/tmp/a","tags":["x","y"]}'),
        (["/path"], b'{"path":"/tmp/b","tags":["x","y"]}'),
        (["/path"], b'{"force":true,"path":"/tmp/b","recursive":true,"tags":["x","y"]}'),
        (["/path"], b'{"force":true,"path":"/tmp/b","tags":["x","z"]}'),
        ([], OTHER),
        (["/force", "/tags"], OTHER),
    ],
)
def test_what_is_not_left_open_holds_exactly_or_people_are_asked(cast, free, arguments):
    a_grant(cast, free=free)
    assert a_ticket(cast, arguments=arguments).pending().submitted.kind == "opened"


NAMES = st.sampled_from(["a", "b", "/", "~1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
NESTED = st.dictionaries(NAMES, VALUES, min_size=1, max_size=2)
ARGUMENTS = st.dictionaries(NAMES, NESTED | VALUES, min_size=1, max_size=3)


@pytest.mark.requirement("grant-pins")
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(granted=ARGUMENTS, data=st.data())
def test_a_grant_never_covers_a_call_that_its_pins_do_not_name(granted, data):
    """Whatever is covered differs from what was approved in members that were left open alone."""
    offered = [member.pointer for member in members(granted)]
    free = sorted(data.draw(st.sets(st.sampled_from(offered), max_size=2)))
    called = granted
    for _ in range(data.draw(st.integers(0, 2))):
        called = _nearly(called, data)
    changed = set(_differences(granted, called))
    open_to_change = all(
        any(place == pointer or place.startswith(f"{pointer}/") for pointer in free)
        for place in changed
    )
    covered = service._rest(called, free) == service._rest(granted, free)
    assert covered is open_to_change


def _nearly(value, data):
    """The same object with one member changed, added or left out, at any depth."""
    name = data.draw(NAMES)
    inner = value.get(name)
    if isinstance(inner, dict) and data.draw(st.booleans()):
        return {**value, name: _nearly(inner, data)}
    if name in value and data.draw(st.booleans()):
        return {other: kept for other, kept in value.items() if other != name}
    return {**value, name: data.draw(VALUES)}


def _differences(old, new, above=""):
    """Pointers of the members in which two objects differ, as deep as both stay objects."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            token = name.replace("~", "~0").replace("/", "~1")
            place = f"{above}/{token}"
            if name not in old or name not in new:
                yield place
            else:
                yield from _differences(old[name], new[name], place)
    elif canonical_bytes(old) != canonical_bytes(new):
        yield above


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


def test_a_grant_for_a_session_covers_no_other_session(cast):
    a_grant(cast, session_only=True, call={"session": SESSION})
    for session in ("", "0" * 64):
        walk = a_ticket(cast, arguments=OTHER, session=session).pending()
        assert walk.submitted.kind == "opened"
        walk.rejected_by(cast.bob)
        api.mark_delivered(walk.uid)
    walk = a_ticket(cast, arguments=ANOTHER, session=SESSION).pending()
    assert walk.submitted.kind == "by_grant"


def test_a_call_without_a_session_gets_no_grant_for_one(cast):
    walk = a_ticket(cast, arguments=ONE).pending()
    with pytest.raises(GrantRefused, match="in no session"):
        approve(walk, cast.bob, terms(session_only=True))
    assert walk.ticket.state == "pending"


def test_a_grant_ends_at_its_deadline(cast):
    a_grant(cast, seconds=600)
    with later(601):
        assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_a_grant_rests_on_people_who_could_still_give_it(cast):
    a_grant(cast, max_uses=9)
    reviewers = [cast.bob.person_id, cast.carol.person_id]

    def lets_through(arguments):
        walk = a_ticket(cast, arguments=arguments).pending()
        if walk.submitted.kind == "opened":
            walk.rejected_by(cast.carol)
        else:
            walk.claimed().succeeded()
        api.mark_delivered(walk.uid)
        return walk.submitted.kind == "by_grant"

    assert lets_through(ONE)
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    assert not lets_through(OTHER)
    people.set_members(group="reviewers", people=reviewers)
    assert lets_through(OTHER)
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert not lets_through(ANOTHER)
    User.objects.filter(pk=cast.bob.pk).update(is_active=True)
    rings.owners[cast.robo] = cast.bob.person_id
    assert not lets_through(ONE)


def test_of_two_who_gave_a_grant_both_have_to_stay(cast):
    a_policy(quorum=2)
    everybody = [user.person_id for user in (cast.bob, cast.carol, cast.dora)]
    people.set_members(group="reviewers", people=everybody)
    walk = a_ticket(cast, arguments=ONE).pending()
    approve(walk, cast.bob, terms())
    approve(walk, cast.carol, terms())
    walk.claimed().succeeded()
    api.mark_delivered(walk.uid)
    people.set_members(group="reviewers", people=everybody[1:])
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_an_unknown_outcome_disables_its_grant_until_somebody_looked(cast):
    a_grant(cast, max_uses=5)
    walk = a_ticket(cast, arguments=OTHER).pending().claimed().unknown()
    api.mark_delivered(walk.uid)
    for arguments in (OTHER, ANOTHER):
        again = a_ticket(cast, arguments=arguments).pending()
        assert again.submitted.kind == "opened"
        again.rejected_by(cast.bob)
        api.mark_delivered(again.uid)
    annotate_unknown(uid=walk.uid, user=cast.bob, ran=False, evidence="looked")
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "by_grant"


def test_a_policy_that_became_stricter_is_not_undercut(cast):
    a_grant(cast)
    a_policy(quorum=2)
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_everybody_whose_approval_is_needed_agrees_to_the_grant_itself(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    first = approve(walk, cast.bob, terms())
    assert (first.kind, first.grant) == ("counted", None)
    second = approve(walk, cast.carol, terms())
    assert second.kind == "approved"
    assert Grant.objects.get(pk=second.grant).granted_by_id == cast.carol.person_id


def test_a_grant_names_those_who_agreed_to_its_terms_in_this_revision_and_nobody_else(cast):
    three = [user.person_id for user in (cast.bob, cast.carol, cast.dora)]
    people.set_members(group="reviewers", people=three)
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    approve(walk, cast.bob, terms())
    editing.edit_arguments(
        uid=walk.uid,
        user=cast.carol,
        raw=OTHER,
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce="edit",
    )
    approve(walk, cast.carol, terms())
    decided = approve(walk, cast.dora, terms())

    found = selectors.grant_for(cast.dora.person, decided.grant, one_person=False)

    assert found is not None
    assert found.agreed_by == ("carol", "dora")


@pytest.mark.parametrize(
    "others",
    [None, terms(free=[]), terms(max_uses=3), terms(seconds=601)],
    ids=["only to the call", "to narrower pins", "to more uses", "to a longer time"],
)
def test_who_agrees_to_something_else_approves_the_call_alone(cast, others):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    approve(walk, cast.bob, terms())
    second = approve(walk, cast.carol, others)
    assert (second.kind, second.grant) == ("approved", None)
    assert Grant.objects.count() == 0


def test_terms_that_were_taken_back_with_their_vote_count_no_longer(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    approve(walk, cast.bob, terms())
    api.withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back")
    approve(walk, cast.bob)
    assert approve(walk, cast.carol, terms()).grant is None


def test_who_may_not_approve_makes_no_grant(cast):
    walk = a_ticket(cast, arguments=ONE).pending()
    for user in (cast.alice, cast.dora):
        with pytest.raises(api.NotEligible):
            approve(walk, user, terms())
    with pytest.raises(api.NotVisible):
        approve(walk, cast.charlie, terms())
    rings.owners[cast.robo] = cast.bob.person_id
    with pytest.raises(api.OwnerMayNotApprove):
        approve(walk, cast.bob, terms())
    assert not Grant.objects.exists()
    assert not AgreedTerms.objects.exists()


def test_a_grant_that_was_asked_for_while_everything_is_stopped_is_refused(cast):
    walk = a_ticket(cast, arguments=ONE).pending()
    killed(cast)
    with pytest.raises((api.KillSwitchOn, api.AlreadyDecided)):
        approve(walk, cast.bob, terms())
    assert not Grant.objects.exists()


def test_a_replayed_approval_makes_no_second_grant(cast):
    walk = a_ticket(cast, arguments=ONE).pending()
    assert approve(walk, cast.bob, terms(), nonce="once").grant
    assert approve(walk, cast.bob, terms(), nonce="once").kind == "repeated"
    assert Grant.objects.count() == 1


def test_an_approval_that_is_taken_back_takes_its_grant_with_it(cast):
    walk = a_ticket(cast, arguments=ONE).pending()
    grant = approve(walk, cast.bob, terms()).grant
    revoke_approval(uid=walk.uid, user=cast.carol)
    assert Grant.objects.get(pk=grant).revoked_at is not None
    api.mark_delivered(walk.uid)
    assert a_ticket(cast, arguments=OTHER).pending().submitted.kind == "opened"


def test_past_rejections_have_to_be_confirmed(cast):
    a_ticket(cast, arguments=OTHER).rejected_by(cast.carol, reason="not this one")
    walk = a_ticket(cast, arguments=ONE).pending()
    with pytest.raises(RejectedBefore) as refused:
        approve(walk, cast.bob, terms())
    assert refused.value.details == {"rejected": 1}
    assert walk.ticket.state == "pending"
    assert approve(walk, cast.bob, terms(), confirmed=True).grant


def test_a_rejection_that_the_pins_do_not_reach_needs_no_confirmation(cast):
    a_ticket(cast, arguments=OTHER).rejected_by(cast.carol)
    walk = a_ticket(cast, arguments=ONE).pending()
    assert approve(walk, cast.bob, terms(free=["/tags"])).grant


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"free": ["path"]}, "that this call has"),
        ({"free": ["/nowhere"]}, "that this call has"),
        ({"free": [""]}, "that this call has"),
        ({"free": ["/tags/0"]}, "that this call has"),
        ({"free": ["/path", "/path"]}, "each once"),
        ({"free": ["/tags", "/path"]}, "each once"),
        ({"max_uses": 0}, "uses"),
        ({"max_uses": 1001}, "uses"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 31 * 24 * 3600}, "seconds"),
    ],
)
def test_terms_out_of_bounds_are_refused_and_nothing_is_decided(cast, changes, words):
    walk = a_ticket(cast, arguments=ONE).pending()
    with pytest.raises(GrantRefused, match=words):
        approve(walk, cast.bob, terms(**changes))
    assert walk.ticket.state == "pending"
    assert Grant.objects.count() == 0


def test_a_ticket_that_asks_for_an_answer_becomes_no_grant(cast):
    form = {"type": "object", "properties": {"name": {"type": "string"}}}
    definition = {"name": "ask", "answerSchema": form}
    walk = a_ticket(cast, arguments=ONE, tool_definition=definition).pending()
    with pytest.raises(GrantRefused, match="answer"):
        approve(walk, cast.bob, terms())


def test_a_grant_holds_no_argument_in_the_open(cast):
    grant = Grant.objects.get(pk=a_grant(cast).id)
    assert "/tmp/a" not in json.dumps(grant.pins)
    assert set(grant.pins) == {"free", "rest", "session"}


def test_revoking_a_grant_cancels_what_is_not_sent_and_opens_nothing_more(
    cast, django_capture_on_commit_callbacks
):
    grant = a_grant(cast, max_uses=9)
    unsent = a_ticket(cast, arguments=OTHER).pending()
    sent = a_ticket(cast, arguments=ANOTHER).pending().claimed().sent()
    with django_capture_on_commit_callbacks(execute=True):
        assert revoke_grant(grant_id=grant.id, user=cast.carol) == 1
    assert unsent.view.cancel_reason is api.CancelReason.GRANT_REVOKED
    assert sent.view.state is api.State.SENT
    assert rings.rung_ended == [unsent.uid]
    assert revoke_grant(grant_id=grant.id, user=cast.carol) == 0
    walk = a_ticket(cast, arguments=ONE).pending()
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
    monkeypatch.setattr(submission, "matching_grants", lambda *given, **named: [grant.id])
    walk = a_ticket(cast, arguments=ANOTHER).pending()
    assert walk.submitted.kind == "opened"
    assert Grant.objects.get(pk=grant.id).uses == 1


def test_without_leaves_a_call_as_it_is_where_nothing_is_open():
    value = {"a": {"b": 1}, "c": [1, {"b": 2}]}
    assert without(value, ["/x", "/a/b/c", "/c/1/b", "/c/0"]) == value
    assert without(value, ["/a/b"]) == {"a": {}, "c": [1, {"b": 2}]}
