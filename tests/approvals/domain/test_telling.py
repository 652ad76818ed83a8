"""When people are told: quiet hours, digests, rotations, and what never waits."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from approvals.domain.telling import (
    Habits,
    Kind,
    Moment,
    Shifts,
    Watchmen,
    end_of_quiet,
    half_time,
    head_starts,
    try_again_after,
    when_to_tell,
)

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Habits(zone=BERLIN, quiet_from=time(22), quiet_until=time(7))
NONE = Habits(zone=BERLIN)
ANN, BEN, CEM = UUID(int=1), UUID(int=2), UUID(int=3)


def at(hour: int, minute: int = 0, *, day: int = 22, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=zone).astimezone(UTC)


def test_without_habits_everything_is_told_at_once():
    assert when_to_tell(Kind.NEEDS_YOU, NONE, now=at(3), deadline=at(9)) == Moment(at(3))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (at(22), at(7, day=23)),
        (at(23, 59), at(7, day=23)),
        (at(0), at(7)),
        (at(6, 59), at(7)),
        (at(7), None),
        (at(21, 59), None),
    ],
)
def test_quiet_hours_span_midnight_in_the_persons_zone(now, end):
    assert end_of_quiet(NIGHT, now) == end


def test_quiet_hours_within_a_day():
    lunch = Habits(zone=BERLIN, quiet_from=time(12), quiet_until=time(13))
    assert end_of_quiet(lunch, at(12, 30)) == at(13)
    assert end_of_quiet(lunch, at(13)) is None


def test_equal_ends_are_no_quiet_hours():
    assert end_of_quiet(Habits(zone=BERLIN, quiet_from=time(9), quiet_until=time(9)), at(9)) is None


def test_quiet_hours_hold_what_has_time():
    assert when_to_tell(Kind.NEEDS_YOU, NIGHT, now=at(23), deadline=at(9, day=23)) == Moment(
        at(7, day=23)
    )


def test_only_urgent_channels_break_the_quiet_for_what_has_no_time():
    told = when_to_tell(Kind.NEEDS_YOU, NIGHT, now=at(23), deadline=at(1, day=23))
    assert told == Moment(at(23), urgent=True)


def test_the_night_in_which_the_clock_is_put_back_has_one_end():
    quiet = Habits(zone=BERLIN, quiet_from=time(22), quiet_until=time(7))
    before = datetime(2026, 10, 24, 23, tzinfo=BERLIN).astimezone(UTC)
    end = end_of_quiet(quiet, before)
    assert end == datetime(2026, 10, 25, 6, tzinfo=UTC)  # nine hours of a night later


def test_a_digest_waits_for_its_turn_unless_the_deadline_comes_first():
    hourly = Habits(zone=BERLIN, digest_minutes=60)
    assert when_to_tell(Kind.NEEDS_YOU, hourly, now=at(9, 10), deadline=at(12)) == Moment(at(10))
    assert when_to_tell(Kind.NEEDS_YOU, hourly, now=at(9, 10), deadline=at(9, 50)) == Moment(
        at(9, 10)
    )


def test_a_digest_whose_turn_is_in_the_quiet_hours_waits_for_their_end():
    both = Habits(zone=BERLIN, quiet_from=time(22), quiet_until=time(7), digest_minutes=120)
    assert when_to_tell(Kind.ENDED, both, now=at(21, 30), deadline=None) == Moment(at(7, day=23))


def test_a_changed_credential_waits_for_nobodys_morning():
    assert when_to_tell(Kind.CREDENTIAL, NIGHT, now=at(23), deadline=None) == Moment(at(23))


def shifts(**changes: object) -> Shifts:
    values = {
        "people": (ANN, BEN, CEM),
        "first_day": date(2026, 11, 16),
        "hands_over": time(9),
        "days": 7,
        "zone": BERLIN,
    }
    return Shifts(**(values | changes))  # type: ignore[arg-type]


def test_a_turn_begins_at_its_hour_and_lasts_a_week():
    assert shifts().on_call(at(9, day=16)) == ANN
    assert shifts().on_call(at(8, 59, day=23)) == ANN
    assert shifts().on_call(at(9, day=23)) == BEN
    assert shifts().on_call(at(9, day=15)) == CEM  # the turn before the first


def test_daily_turns_follow_each_other():
    assert [shifts(days=1).on_call(at(10, day=16 + n)) for n in range(4)] == [ANN, BEN, CEM, ANN]


def test_the_next_in_turn_stands_in_for_whoever_is_away():
    assert shifts().on_call(at(10, day=16), away={ANN}) == BEN
    assert shifts().on_call(at(10, day=16), away={ANN, BEN, CEM}) is None
    assert shifts(people=()).on_call(at(10, day=16)) is None


HOUR = timedelta(hours=1)


def test_those_on_call_have_a_head_start():
    group = Watchmen(people=frozenset({ANN, BEN}), on_call=ANN, head_start=timedelta(minutes=10))
    assert head_starts([group], remaining=HOUR) == {ANN: timedelta(), BEN: timedelta(minutes=10)}


def test_no_head_start_takes_more_than_half_of_the_time():
    group = Watchmen(people=frozenset({ANN, BEN}), on_call=ANN, head_start=HOUR)
    assert head_starts([group], remaining=HOUR)[BEN] == timedelta(minutes=30)


def test_a_group_of_which_nobody_is_on_call_tells_everybody_at_once():
    called = Watchmen(people=frozenset({ANN, BEN}), on_call=ANN, head_start=HOUR)
    plain = Watchmen(people=frozenset({BEN, CEM}), head_start=HOUR)
    waits = head_starts([called, plain], remaining=4 * HOUR)
    assert waits == {ANN: timedelta(), BEN: timedelta(), CEM: timedelta()}


def test_half_time_lies_between_opening_and_deadline():
    assert half_time(at(9), at(10)) == at(9, 30)


def test_attempts_end():
    waits = [try_again_after(attempts) for attempts in range(1, 8)]
    assert waits[:5] == sorted(waits[:5])
    assert waits[5:] == [None, None]


def test_every_kind_fits_its_column():
    assert all(len(kind) <= 12 for kind in Kind)
