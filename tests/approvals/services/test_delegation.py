"""Being away: who stands in, what their vote is worth, and that nobody waits for the absent."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from approvals import api
from approvals.audit.verification import verify
from approvals.domain.errors import (
    AbsenceInvalid,
    AbsenceOverlaps,
    NotVisible,
    StandInBarred,
    StandInNotNeeded,
    StandInUnfit,
)
from approvals.domain.pins import Terms
from approvals.models import Absence, AuditEvent, Grant, VoteMandate, database_now
from approvals.selectors.absence import away_now
from approvals.selectors.counting import needs_count
from approvals.selectors.grants import grants_visible_to
from approvals.selectors.inbox import inbox
from approvals.selectors.readers import reviewer
from approvals.services import people, reviewers
from approvals.services.decisions import decide
from approvals.services.delegation import declare_absence, end_absence, possible_stand_ins
from approvals.services.grants import Wanted
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

APPROVE, REJECT = api.Answer.APPROVE, api.Answer.REJECT
DAY = timedelta(days=1)


@pytest.fixture
def team(cast):
    """bob alone is legal's, which decides; carol is a reviewer of the same team."""
    reviewers._reached.clear()
    people.ensure_group(slug="legal", name="Legal")
    people.set_members(group="legal", people=[cast.bob.person_id])
    a_policy(groups=["legal"])
    return cast


def away(cast, who="bob", stand_in="carol", *, days=1, group="legal", **changes):
    given = {
        "user": getattr(cast, who),
        "starts_at": None,
        "ends_at": database_now() + days * DAY,
        "delegate_id": getattr(cast, stand_in).person_id if stand_in else None,
        "group_ids": [people.ensure_group(slug=group)] if stand_in else [],
    }
    return declare_absence(**{**given, **changes})


def test_a_stand_in_sees_the_ticket_and_votes_in_their_own_name_for_the_absent(team):
    cast = team
    walk = a_ticket(cast).pending()
    assert needs_count(reviewer(cast.carol.person, one_person=False)) == 0
    away(cast)
    assert needs_count(reviewer(cast.carol.person, one_person=False)) == 1
    assert [
        row.ticket.uid
        for row in inbox(reviewer(cast.carol.person, one_person=False)).needs_you.rows
    ]
    assert walk.voted(cast.carol, APPROVE).ticket.state == "approved"
    mandate = VoteMandate.objects.get()
    assert mandate.decision.person_id == cast.carol.person_id
    assert mandate.stands_in_for_id == cast.bob.person_id
    assert verify() == []


def test_a_stand_in_s_vote_lapses_with_the_absence(team):
    cast = team
    a_policy(groups=["legal"], quorum=1)
    absence = away(cast)
    walk = a_ticket(cast).pending()
    end_absence(absence_id=absence.pk, user=cast.bob)
    with pytest.raises(api.NotEligible):
        walk.voted(cast.carol, APPROVE)
    with later(2 * 86_400):
        assert away_now() == set()


def test_a_stand_in_has_the_vote_from_the_beginning_of_the_absence_to_its_end(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    a_policy(groups=["legal"], approval_seconds=7 * 86_400)
    away(cast, starts_at=database_now() + DAY, days=2)
    walk = a_ticket(cast).pending()
    for days in (0, 3):
        with later(days * 86_400), pytest.raises(api.NotEligible):
            walk.voted(cast.carol, APPROVE)
    with later(1.5 * 86_400):
        assert walk.voted(cast.carol, APPROVE).ticket.state == "approved"


def test_the_absent_person_may_still_vote_and_then_the_stand_in_is_not_needed(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    a_policy(groups=["legal"], quorum=2)
    away(cast)
    walk = a_ticket(cast).approved_by(cast.bob)
    with pytest.raises(StandInNotNeeded):
        walk.voted(cast.carol, APPROVE)
    assert needs_count(reviewer(cast.carol.person, one_person=False)) == 0


def test_a_stand_in_sees_the_permissions_of_the_calls_that_they_are_asked_about(team):
    cast = team
    people.ensure_team(slug="law", name="Law")
    people.set_members(team="law", people=[cast.bob.person_id, cast.charlie.person_id])
    people.ensure_group(slug="notaries", name="Notaries")
    people.set_members(group="notaries", people=[cast.charlie.person_id])
    walk = a_ticket(cast).pending()
    decide(
        uid=walk.uid,
        user=cast.bob,
        verdict=APPROVE,
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce="n",
        grant=Wanted(terms=Terms(session_only=False, free=(), max_uses=2, seconds=600)),
    )
    grant = Grant.objects.get()
    assert not grants_visible_to(cast.charlie.person).exists()
    away(cast, stand_in="charlie")
    assert list(grants_visible_to(cast.charlie.person)) == [grant]


def test_an_agreement_of_a_stand_in_lapses_when_the_absent_person_votes(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    a_policy(groups=["legal"], quorum=2)
    away(cast)
    walk = a_ticket(cast).pending()
    wanted = Wanted(terms=Terms(session_only=False, free=(), max_uses=2, seconds=600))

    def approve(user, grant=None):
        return decide(
            uid=walk.uid,
            user=user,
            verdict=APPROVE,
            seen_digest=bytes(walk.ticket.digest),
            reason="",
            nonce=str(user.pk),
            grant=grant,
        )

    approve(cast.carol, wanted)
    assert approve(cast.bob).ticket.have == 1
    last = approve(cast.dora, wanted)

    assert (last.kind, last.grant) == ("approved", None)
    assert not Grant.objects.exists()


def test_a_stand_in_fills_no_second_seat(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.carol.person_id])
    a_policy(groups=["legal"], quorum=2)
    walk = a_ticket(cast).pending()
    away(cast)
    assert walk.voted(cast.carol, APPROVE).view.have == 1
    assert walk.ticket.state == "pending"


def test_nobody_stands_in_for_the_agent_s_owner(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    away(cast)
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()
    assert needs_count(reviewer(cast.carol.person, one_person=False)) == 0
    with pytest.raises(StandInBarred):
        walk.voted(cast.carol, APPROVE)
    assert walk.voted(cast.carol, REJECT).ticket.state == "rejected"


def test_the_agent_s_owner_stands_in_for_nobody_in_its_calls(team):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    away(cast)
    walk = a_ticket(cast, person_id=cast.carol.person_id).pending()
    with pytest.raises(api.OwnerMayNotApprove):
        walk.voted(cast.carol, APPROVE)


def test_what_one_stands_in_for_is_not_passed_on(team):
    cast = team
    people.set_members(group="reviewers", people=[cast.carol.person_id, cast.alice.person_id])
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    away(cast)
    away(cast, "carol", "alice", group="reviewers")
    walk = a_ticket(cast, person_id=cast.charlie.person_id).pending()
    with pytest.raises(api.NotEligible):
        walk.voted(cast.alice, APPROVE)


def test_nobody_waits_for_the_absent(team):
    cast = team
    away(cast, stand_in="")
    with pytest.raises(api.QuorumUnreachable, match="whoever is away"):
        a_ticket(cast).pending()


def test_whoever_came_back_early_is_waited_for_again(team):
    cast = team
    end_absence(absence_id=away(cast, stand_in="").pk, user=cast.bob)
    assert a_ticket(cast).pending().ticket.state == "pending"


def test_who_is_back_before_the_deadline_is_waited_for(team):
    cast = team
    a_policy(groups=["legal"], approval_seconds=2 * 86_400)
    away(cast, stand_in="")
    assert a_ticket(cast).pending().ticket.state == "pending"


@pytest.mark.parametrize("gone", ["group", "account", "team", "reviewer"])
def test_a_stand_in_loses_the_vote_with_what_it_rests_on(team, gone):
    cast = team
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    away(cast)
    walk = a_ticket(cast).pending()
    match gone:
        case "group":
            people.set_members(group="legal", people=[cast.dora.person_id])
        case "account":
            cast.bob.is_active = False
            cast.bob.save()
        case "team":
            people.set_members(team="ops", people=[cast.alice.person_id, cast.bob.person_id])
        case "reviewer":
            people.set_members(group="reviewers", people=[cast.bob.person_id])
    with pytest.raises((api.NotEligible, NotVisible)):
        walk.voted(cast.carol, APPROVE)


def test_an_absence_makes_sense_or_is_refused(team):
    cast = team
    now = database_now()
    legal = people.ensure_group(slug="legal")
    for changes in (
        {"ends_at": now - DAY},
        {"ends_at": now + 91 * DAY},
        {"starts_at": now + 400 * DAY, "ends_at": now + 401 * DAY},
        {"group_ids": []},
        {"group_ids": [people.ensure_group(slug="reviewers"), legal], "user": cast.alice},
        {"delegate_id": None, "group_ids": [legal]},
    ):
        with pytest.raises(AbsenceInvalid):
            away(cast, **changes)
    assert not Absence.objects.exists()


def test_only_a_reviewer_of_the_same_team_who_is_here_stands_in(team):
    cast = team
    assert possible_stand_ins(cast.bob.person) == [cast.carol.person]
    for stand_in in ("alice", "charlie", "dora", "bob"):
        with pytest.raises(StandInUnfit):
            away(cast, stand_in=stand_in)
    away(cast, "carol", "")
    with pytest.raises(StandInUnfit, match="away themselves"):
        away(cast)


def test_one_is_away_once_at_a_time(team):
    away(team)
    with pytest.raises(AbsenceOverlaps):
        away(team, stand_in="")


def test_the_absent_person_or_an_admin_ends_it_and_it_is_on_record(team):
    cast = team
    absence = away(cast)
    for stranger in (cast.carol, cast.charlie):
        with pytest.raises(NotVisible):
            end_absence(absence_id=absence.pk, user=stranger)
    ended = end_absence(absence_id=absence.pk, user=cast.dora)
    assert ended.ended_by_id == cast.dora.person_id
    assert end_absence(absence_id=absence.pk, user=cast.bob).ended_at == ended.ended_at
    subject = f"person:{cast.bob.person_id}"
    acts = AuditEvent.objects.filter(subject=subject, action__startswith="absence")
    assert list(acts.order_by("seq").values_list("action", flat=True)) == [
        "absence_declared",
        "absence_ended",
    ]
    assert verify() == []


def test_the_database_keeps_an_absence_as_it_was_declared(team):
    absence = away(team)
    rows = Absence.objects.filter(pk=absence.pk)
    for change in (
        lambda: rows.update(ends_at=absence.ends_at + DAY),
        lambda: rows.update(delegate=team.alice.person),
        rows.delete,
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
