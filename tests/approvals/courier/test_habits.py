"""What people chose, who is on call and who is away decide when they are told."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID

import pytest

from approvals import api, courier
from approvals.carriers import chat
from approvals.domain.snoozing import Choice
from approvals.models import (
    Channel,
    Delivery,
    GroupMembership,
    Person,
    Rotation,
    User,
    database_now,
)
from approvals.services import channels, habits, people, watching
from approvals.services.delegation import declare_absence
from approvals.services.snoozing import snooze, wake
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket
from tests.support.clock import later
from tests.support.telling import HOUR, a_chat, habit, told, words

# -- habits ------------------------------------------------------------------------------------


def local(moment: datetime, shift: timedelta) -> time:
    return (moment + shift).time().replace(second=0, microsecond=0)


def test_quiet_hours_hold_a_message_until_they_end(cast: Cast):
    a_policy(approval_seconds=6 * 3600)
    now = database_now()
    habit(
        cast.bob,
        quiet_from=local(now, -timedelta(hours=1)),
        quiet_until=local(now, timedelta(hours=1)),
    )
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}
    with later(HOUR + 1):
        assert told().keys() == {"bob"}


@pytest.mark.requirement("quiet-hours")
def test_quiet_hours_are_broken_by_urgent_channels_alone_when_the_deadline_comes_first(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr(chat, "send", lambda url, **message: said.append(message["title"]))
    now = database_now()
    quiet = {
        "quiet_from": local(now, -timedelta(hours=1)),
        "quiet_until": local(now, timedelta(hours=3)),
    }
    habit(cast.bob, **quiet)
    habit(cast.carol, **quiet)
    a_chat(cast.carol, urgent=True)
    a_ticket(cast).pending()
    assert told() == {}
    assert len(said) == 1


def test_it_became_quiet_while_the_message_waited(cast: Cast):
    a_policy(approval_seconds=6 * 3600)
    a_ticket(cast).pending()
    courier.look()
    now = database_now()
    habit(
        cast.bob,
        quiet_from=local(now, -timedelta(hours=1)),
        quiet_until=local(now, timedelta(hours=1)),
    )
    assert told().keys() == {"carol"}
    waiting = Delivery.objects.get(channel__person=cast.bob.person)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


def test_a_digest_makes_one_message_of_many(cast: Cast):
    habit(cast.bob, digest_minutes=15)
    for n in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    assert "bob" not in told()
    with later(15 * 60):
        assert told()["bob"] == ["Placet: News of 3 tickets"]
    assert words().count("/tickets/") == 3
    assert words().count("  Decide by: ") == 3


def test_what_is_due_together_is_one_message(cast: Cast):
    for n in range(11):
        a_ticket(cast, arguments=b'{"n":%d}' % n).pending()
    assert told()["carol"] == ["Placet: News of 11 tickets"]
    assert "And 1 more." in words()


def test_a_group_that_somebody_does_not_want_to_hear_of(cast: Cast):
    habit(cast.bob, silent_groups=[cast.group_id])
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}


def test_mail_can_be_switched_off(cast: Cast):
    a_ticket(cast).pending()
    told()
    mail = Channel.objects.get(person=cast.bob.person, sort="mail")
    channels.change(user=cast.bob, channel_id=mail.pk, enabled=False, urgent=False, detailed=False)
    a_ticket(cast, arguments=b'{"n":2}').pending()
    assert told().keys() == {"carol"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": time(22)},
        {"digest_minutes": 2},
        {"digest_minutes": 5000},
        {"silent_kinds": ["needs_you"]},
        {"silent_kinds": ["credential"]},
    ],
)
def test_habits_that_cannot_be_are_refused(cast: Cast, wrong: dict[str, object]):
    with pytest.raises(api.Refusal):
        habit(cast.bob, **wrong)


# -- on call -----------------------------------------------------------------------------------


def on_call(cast: Cast, *people: UUID, **changes: object) -> None:
    values = {
        "group_id": cast.group_id,
        "people": list(people),
        "first_day": database_now().date(),
        "hands_over": time(0),
        "days": 7,
        "time_zone": "UTC",
        "head_start_minutes": 10,
    }
    habits.keep_rotation(user=cast.dora, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.requirement("on-call")
def test_whoever_is_on_call_is_told_first_and_everybody_else_if_nothing_happens(cast: Cast):
    on_call(cast, cast.carol.person_id, cast.bob.person_id)
    a_ticket(cast).pending()
    assert told().keys() == {"carol"}
    with later(9 * 60):
        assert told() == {}
    with later(11 * 60):
        assert told().keys() == {"bob"}
    with later(HOUR / 2 + 1):  # a reminder waits for nobody's head start
        assert told().keys() == {"bob", "carol"}


def test_a_decision_within_the_head_start_leaves_the_others_in_peace(cast: Cast):
    on_call(cast, cast.carol.person_id)
    walk = a_ticket(cast).pending()
    told()
    walk.rejected_by(cast.carol)
    with later(11 * 60):
        assert told() == {}


def test_whoever_left_the_group_is_not_on_call_for_it(cast: Cast):
    on_call(cast, cast.carol.person_id, cast.bob.person_id)
    people.set_members(group="reviewers", people=[cast.bob.person_id])
    a_ticket(cast).pending()
    assert told().keys() == {"bob"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 3},
        {"head_start_minutes": 0},
        {"time_zone": "Mars/Olympus"},
    ],
)
def test_a_rotation_that_cannot_be_is_refused(cast: Cast, wrong: dict[str, object]):
    with pytest.raises(api.Refusal):
        on_call(cast, cast.bob.person_id, **wrong)
    assert not Rotation.objects.exists()


def test_only_members_are_on_call_and_only_admins_say_so(cast: Cast):
    with pytest.raises(api.Refusal):
        on_call(cast, cast.charlie.person_id)
    with pytest.raises(api.NotEligible):
        habits.keep_rotation(
            user=cast.bob,
            group_id=cast.group_id,
            people=[cast.bob.person_id],
            first_day=database_now().date(),
            hands_over=time(0),
            days=7,
            time_zone="UTC",
            head_start_minutes=10,
        )


# -- away, and put away -----------------------------------------------------------------------


def away(user: User, *, delegate: User | None = None, group: UUID | None = None) -> None:
    declare_absence(
        user=user,
        starts_at=None,
        ends_at=database_now() + timedelta(hours=5),
        delegate_id=delegate.person_id if delegate else None,
        group_ids=[group] if group else [],
    )


def test_whoever_is_away_is_neither_told_nor_on_call(cast: Cast):
    on_call(cast, cast.carol.person_id, cast.bob.person_id)
    away(cast.carol)
    a_ticket(cast).pending()
    assert told().keys() == {"bob"}


def test_whoever_went_away_while_the_message_waited_is_not_told(cast: Cast):
    a_ticket(cast).pending()
    courier.look()
    away(cast.carol)
    assert told().keys() == {"bob"}


@pytest.mark.both_engines
def test_a_stand_in_is_told_in_the_place_of_whoever_is_away(cast: Cast):
    second = people.ensure_group(slug="second", name="Second")
    people.set_members(group="second", people=[cast.bob.person_id])
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    habit(cast.bob, silent_groups=[second])
    away(cast.carol, delegate=cast.bob, group=cast.group_id)
    a_ticket(cast).pending()
    assert told().keys() == {"bob"}


def test_whoever_put_a_ticket_away_is_not_reminded_of_it(cast: Cast):
    walk = a_ticket(cast).pending()
    told()
    with later(600):
        snooze(uid=walk.uid, user=cast.bob, choice=Choice.HALF)
    with later(HOUR / 2 + 1):
        assert told().keys() == {"carol"}


def put_away_by_bob(cast: Cast) -> TicketWalk:
    """A ticket of an hour, after ten minutes put away for half of the rest."""
    walk = a_ticket(cast).pending()
    told()
    with later(600):
        snooze(uid=walk.uid, user=cast.bob, choice=Choice.HALF)
    return walk


@pytest.mark.requirement("told-once")
@pytest.mark.both_engines
def test_who_put_a_ticket_away_beyond_half_its_time_hears_once_when_it_is_back(cast: Cast):
    walk = put_away_by_bob(cast)
    with later(HOUR / 2 + 1):
        assert told().keys() == {"carol"}
    with later(600 + 3000 / 2 + 1):
        seen = list(watching._back())
        assert told() == {
            "bob": [f"Placet: Ticket #{walk.ticket.pk}, which you put away, waits for you again"]
        }
        for late in seen:  # another worker that had found it over as well
            watching._bring_back(late)
        assert told() == {}


def test_what_was_put_away_again_meanwhile_is_told_when_that_is_over(cast: Cast):
    walk = put_away_by_bob(cast)
    with later(600 + 3000 / 2 + 1):
        [seen] = watching._back()
        snooze(uid=walk.uid, user=cast.bob, choice=Choice.QUARTER)
        watching._bring_back(seen)
        assert told().keys() == {"carol"}, "the reminder at half time"
    with later(600 + 3000 / 2 + 905):
        assert told().keys() == {"bob"}


@pytest.mark.parametrize("why", ["decided", "voted", "out of the group", "woken", "unwanted"])
def test_nobody_hears_of_what_is_back_and_no_longer_theirs(cast: Cast, why: str):
    walk = put_away_by_bob(cast)
    match why:
        case "decided":
            walk.rejected_by(cast.carol)
        case "voted":
            walk.rejected_by(cast.bob)
        case "out of the group":
            GroupMembership.objects.filter(person=cast.bob.person_id).delete()
        case "woken":
            wake(uid=walk.uid, user=cast.bob)
        case _:
            habit(cast.bob, silent_kinds=["returned", "reminder"])
    with later(600 + 3000 / 2 + 1):
        assert "put away" not in " ".join(told().get("bob", []))


def test_a_zone_that_this_machine_does_not_know_is_utc_and_holds_up_nobody(cast: Cast):
    Person.objects.filter(pk=cast.bob.person_id).update(time_zone="Europe/Atlantis")
    a_ticket(cast).pending()
    assert told().keys() == {"bob", "carol"}
