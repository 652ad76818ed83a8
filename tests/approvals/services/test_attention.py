"""Talking about a ticket, handing it on, putting it away: who may, and what it leaves alone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from approvals import api
from approvals.audit.sealing import purge, unseal
from approvals.audit.verification import verify
from approvals.domain import errors
from approvals.domain.snoozing import Choice, choices
from approvals.models import AuditEvent, Handoff, Notice, Remark, ReviewerGroup, Snooze
from approvals.selectors.counting import needs_count
from approvals.selectors.history import ticket_for
from approvals.selectors.inbox import inbox
from approvals.selectors.readers import reviewer
from approvals.services import conversation, editing, handover, people, snoozing
from tests.support import rings
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later


def lists(user):
    return inbox(reviewer(user.person, one_person=False))


def needs(user):
    assert needs_count(reviewer(user.person, one_person=False)) == sum(
        len(rows)
        for rows in (
            lists(user).needs_you.rows,
            lists(user).handed_to_you,
            lists(user).asks_you,
        )
    ), "the count says something else than the list"
    return [row.ticket.uid for row in lists(user).needs_you.rows]


def uids(rows):
    return [row.ticket.uid for row in rows]


def broken():
    return [found for found in verify() if found.table != "triggers"]


# -- talking -------------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_the_owner_is_asked_and_answers_and_both_stand_in_the_record(cast):
    walk = a_ticket(cast).pending()
    conversation.ask_owner(uid=walk.uid, user=cast.bob, words="Why today?", nonce="1")
    asked = Remark.objects.get()
    assert uids(lists(cast.alice).asks_you) == [walk.uid]
    assert [lists(user).asks_you for user in (cast.bob, cast.carol)] == [(), ()]
    assert uids(lists(cast.alice).waiting_on_others.rows) == []
    assert needs_count(reviewer(cast.alice.person, one_person=False)) == 1
    conversation.answer_question(
        uid=walk.uid, question=asked.pk, user=cast.alice, words="The disk is full.", nonce="1"
    )
    assert lists(cast.alice).asks_you == ()
    assert [unseal(row.words) for row in Remark.objects.order_by("pk")] == [
        b"Why today?",
        b"The disk is full.",
    ]
    said = AuditEvent.objects.filter(subject=f"ticket:{walk.uid}").order_by("seq")
    assert [event.action for event in said] == ["opened", "asked_owner", "owner_answered"]
    assert "disk" not in str([event.detail for event in said])
    assert {notice.kind for notice in Notice.objects.all()} >= {"asked", "answered"}
    assert broken() == []
    purge(asked.words_id, actor="system:retention")
    assert broken() == []


def test_the_owner_of_today_is_asked_if_they_may_see_the_ticket(cast):
    walk = a_ticket(cast).pending()
    rings.owners[cast.robo] = cast.charlie.person_id
    conversation.ask_owner(uid=walk.uid, user=cast.bob, words="Why?", nonce="1")
    assert Remark.objects.get().asked_id == cast.alice.person_id
    rings.owners[cast.robo] = cast.carol.person_id
    conversation.ask_owner(uid=walk.uid, user=cast.bob, words="Why?", nonce="2")
    assert Remark.objects.order_by("-pk").first().asked_id == cast.carol.person_id


def test_who_may_say_what(cast):
    walk = a_ticket(cast).pending()
    conversation.comment(uid=walk.uid, user=cast.alice, words="mine", nonce="1")
    with pytest.raises(errors.NotVisible):
        conversation.comment(uid=walk.uid, user=cast.charlie, words="x", nonce="1")
    with pytest.raises(errors.NotEligible):
        conversation.ask_owner(uid=walk.uid, user=cast.alice, words="x", nonce="2")
    conversation.ask_owner(uid=walk.uid, user=cast.dora, words="an admin asks", nonce="1")
    question = Remark.objects.get(kind="question").pk
    for user in (cast.bob, cast.dora):
        with pytest.raises(errors.NotAsked):
            conversation.answer_question(
                uid=walk.uid, question=question, user=user, words="x", nonce="3"
            )
    other = a_ticket(cast, arguments=b"{}").pending()
    with pytest.raises(errors.NotAsked):
        conversation.answer_question(
            uid=other.uid, question=question, user=cast.alice, words="x", nonce="3"
        )
    conversation.answer_question(
        uid=walk.uid, question=question, user=cast.alice, words="yes", nonce="4"
    )
    with pytest.raises(errors.AlreadyAnswered):
        conversation.answer_question(
            uid=walk.uid, question=question, user=cast.alice, words="no", nonce="5"
        )


def test_words_are_bounded_in_length_and_number(cast, monkeypatch):
    walk = a_ticket(cast).pending()
    for words, refusal in (("  ", errors.WordsMissing), ("x" * 2001, errors.ReasonTooLong)):
        with pytest.raises(refusal):
            conversation.comment(uid=walk.uid, user=cast.bob, words=words, nonce="1")
    monkeypatch.setattr(conversation, "MAX_REMARKS", 3)
    monkeypatch.setattr(conversation, "MAX_REMARKS_OF_ONE", 2)
    for nonce in ("1", "1", "2"):
        conversation.comment(uid=walk.uid, user=cast.bob, words="same", nonce=nonce)
    assert Remark.objects.count() == 2, "a double post counted"
    with pytest.raises(errors.TooManyRemarks):
        conversation.comment(uid=walk.uid, user=cast.bob, words="three", nonce="3")
    conversation.comment(uid=walk.uid, user=cast.carol, words="mine", nonce="1")
    with pytest.raises(errors.TooManyRemarks):
        conversation.comment(uid=walk.uid, user=cast.alice, words="full", nonce="1")


def test_a_decided_ticket_takes_comments_but_no_questions(cast):
    walk = a_ticket(cast).rejected_by(cast.bob)
    conversation.comment(uid=walk.uid, user=cast.alice, words="too bad", nonce="1")
    with pytest.raises(errors.AlreadyDecided):
        conversation.ask_owner(uid=walk.uid, user=cast.bob, words="why?", nonce="1")
    assert walk.ticket.state == "rejected"


# -- handing on ----------------------------------------------------------------------------------


def hand(walk, giver, nonce="1", **to):
    handover.hand_on(uid=walk.uid, user=giver, nonce=nonce, **to)


@pytest.mark.both_engines
def test_a_ticket_that_is_handed_on_leaves_one_list_and_heads_another(cast):
    walk = a_ticket(cast).pending()
    hand(walk, cast.bob, to_person=cast.carol.person_id, words="you know this server")
    assert needs(cast.bob) == []
    assert uids(lists(cast.bob).waiting_on_others.rows) == [walk.uid]
    (mine,) = lists(cast.carol).handed_to_you
    assert (mine.ticket.uid, mine.handed_by) == (walk.uid, "bob")
    assert needs(cast.carol) == [], "it stands twice"
    assert needs_count(reviewer(cast.carol.person, one_person=False)) == 1
    assert Notice.objects.filter(kind="handed").exists()
    hand(walk, cast.carol, to_person=cast.bob.person_id)
    assert uids(lists(cast.bob).handed_to_you) == [walk.uid]
    assert lists(cast.carol).handed_to_you == ()
    walk.voted(cast.bob, api.Answer.APPROVE)
    assert lists(cast.bob).handed_to_you == ()
    assert broken() == []


def test_whoever_handed_a_ticket_on_may_still_decide(cast):
    walk = a_ticket(cast).pending()
    hand(walk, cast.bob, to_person=cast.carol.person_id)
    assert walk.voted(cast.bob, api.Answer.APPROVE).ticket.state == "approved"


def test_a_ticket_is_handed_to_a_group_that_is_asked_and_to_no_other(cast):
    people.ensure_group(slug="security", name="Security")
    people.set_members(group="security", people=[cast.dora.person_id])
    walk = a_ticket(cast).pending()
    security = ReviewerGroup.objects.get(slug="security").pk
    with pytest.raises(errors.NobodyToHandTo):
        hand(walk, cast.bob, to_group=security)
    a_policy(groups=["reviewers", "security"])
    asked = a_ticket(cast, arguments=b"{}").pending()
    hand(asked, cast.bob, to_group=security)
    assert uids(lists(cast.dora).handed_to_you) == [asked.uid]
    assert asked.uid not in needs(cast.bob)
    assert asked.uid in needs(cast.carol), "others keep it in their lists"
    assert set(asked.ticket.groups.values_list("slug", flat=True)) == {"reviewers", "security"}


def test_a_ticket_is_only_handed_to_somebody_whose_approval_would_count(cast):
    people.set_members(
        group="reviewers",
        people=[user.person_id for user in (cast.alice, cast.bob, cast.carol)],
    )
    walk = a_ticket(cast).pending()
    wrong = [
        {"to_person": cast.charlie.person_id},  # no member
        {"to_person": cast.alice.person_id},  # owns the agent
        {"to_person": cast.bob.person_id},  # oneself
        {},
        {"to_person": cast.carol.person_id, "to_group": cast.group_id},
    ]
    for to in wrong:
        with pytest.raises(errors.NobodyToHandTo):
            hand(walk, cast.bob, **to)
    rings.owners[cast.robo] = cast.carol.person_id  # owns it by now
    for to in ({"to_person": cast.carol.person_id}, {"to_group": cast.group_id}):
        with pytest.raises(errors.NobodyToHandTo):
            hand(walk, cast.bob, **to)
    assert Handoff.objects.count() == 0


def test_a_ticket_is_not_handed_to_somebody_who_has_voted(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.carol)
    for to in ({"to_person": cast.carol.person_id}, {"to_group": cast.group_id}):
        with pytest.raises(errors.NobodyToHandTo):
            hand(walk, cast.bob, **to)


def test_only_people_with_an_open_vote_hand_a_pending_ticket_on(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    to = {"to_person": cast.carol.person_id}
    with pytest.raises(errors.NotVisible):
        hand(walk, cast.charlie, **to)
    for user in (cast.alice, cast.dora):
        with pytest.raises(errors.NotEligible):
            hand(walk, user, **to)
    hand(walk, cast.bob, **to)
    hand(walk, cast.bob, **to)
    assert Handoff.objects.count() == 1, "a double post counted"
    walk.voted(cast.bob, api.Answer.APPROVE)
    with pytest.raises(errors.AlreadyVoted):
        hand(walk, cast.bob, nonce="2", **to)
    with later(4000), pytest.raises(errors.Expired):
        hand(walk, cast.carol, to_person=cast.bob.person_id)
    walk.voted(cast.carol, api.Answer.REJECT)
    with pytest.raises(errors.AlreadyDecided):
        hand(walk, cast.carol, to_person=cast.bob.person_id)


# -- putting away --------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_a_ticket_that_was_put_away_comes_back_by_itself(cast):
    walk = a_ticket(cast).pending()
    snoozing.snooze(uid=walk.uid, user=cast.bob, choice=Choice.QUARTER)
    assert needs(cast.bob) == []
    (away,) = lists(cast.bob).put_away
    assert away.away_until is not None
    assert lists(cast.bob).waiting_on_others.rows == ()
    assert needs(cast.carol) == [walk.uid], "somebody else lost it"
    assert ticket_for(cast.bob.person, walk.uid).away_until is not None
    assert ticket_for(cast.carol.person, walk.uid).away_until is None
    with later(16 * 60):
        assert needs(cast.bob) == [walk.uid]
        assert lists(cast.bob).put_away == ()
    snoozing.wake(uid=walk.uid, user=cast.bob)
    assert needs(cast.bob) == [walk.uid]
    assert walk.ticket.version == 1, "it changed the ticket"


def test_each_person_puts_a_ticket_away_for_themselves(cast):
    walk = a_ticket(cast).pending()
    for user in (cast.bob, cast.carol):
        snoozing.snooze(uid=walk.uid, user=user, choice=Choice.HALF)
    assert Snooze.objects.count() == 2
    snoozing.wake(uid=walk.uid, user=cast.carol)
    assert Snooze.objects.get().person_id == cast.bob.person_id


def test_an_edit_wakes_a_ticket(cast):
    walk = a_ticket(cast).pending()
    snoozing.snooze(uid=walk.uid, user=cast.bob, choice=Choice.QUARTER)
    editing.edit_arguments(
        uid=walk.uid,
        user=cast.carol,
        raw=b'{"path":"/tmp/b"}',
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce="1",
    )
    assert needs(cast.bob) == [walk.uid]


def test_a_ticket_is_not_put_away_beyond_its_deadline_nor_by_others(cast):
    a_policy(approval_seconds=600)
    walk = a_ticket(cast).pending()
    for choice in (Choice.QUARTER, Choice.HOUR, Choice.TOMORROW):
        with pytest.raises(errors.SnoozeTooLong):
            snoozing.snooze(uid=walk.uid, user=cast.bob, choice=choice)
    snoozing.snooze(uid=walk.uid, user=cast.bob, choice=Choice.HALF)
    with pytest.raises(errors.NotVisible):
        snoozing.snooze(uid=walk.uid, user=cast.charlie, choice=Choice.HALF)
    with pytest.raises(errors.NotEligible):
        snoozing.snooze(uid=walk.uid, user=cast.alice, choice=Choice.HALF)
    walk.rejected_by(cast.carol)
    with pytest.raises(errors.AlreadyDecided):
        snoozing.snooze(uid=walk.uid, user=cast.bob, choice=Choice.HALF)
    assert Snooze.objects.count() == 1


def test_tomorrow_is_nine_in_the_morning_of_the_person():
    now = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # in Berlin half past eleven, the night before
    ahead = choices(
        now=now, deadline=now + timedelta(days=3), zone=ZoneInfo("Europe/Berlin")
    )  # the clocks go forward
    assert ahead[Choice.TOMORROW] == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    assert list(ahead) == [Choice.QUARTER, Choice.HOUR, Choice.TOMORROW, Choice.HALF]
    assert choices(now=now, deadline=now, zone=UTC) == {}
