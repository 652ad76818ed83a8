"""Obligations: stored, read back, and only ever tightened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.errors import ObligationsConflict, PolicyInvalid
from approvals.domain.obligations import (
    Escalation,
    Obligations,
    Seats,
    obligations_from,
    tighten,
)
from approvals.domain.stepup import StepUp

groups = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple)
who = st.one_of(
    st.fixed_dictionaries({"groups": groups, "quorum": st.integers(1, 20)}),
    st.lists(
        st.builds(Seats, group=st.sampled_from(["a", "b", "c"]), need=st.integers(1, 6)),
        unique_by=lambda seats: seats.group,
        min_size=1,
        max_size=3,
    ).map(
        lambda seats: {
            "quorums": tuple(seats),
            "groups": tuple(each.group for each in seats),
            "quorum": sum(each.need for each in seats),
        }
    ),
)
escalations = st.none() | st.builds(
    Escalation, to=st.sampled_from(["x", "y"]), after_seconds=st.integers(1, 500)
)
some = st.builds(
    lambda who, **others: Obligations(**who, **others),
    who=who,
    escalate=escalations,
    four_eyes=st.booleans(),
    reason_required=st.booleans(),
    step_up=st.sampled_from(StepUp),
    type_target=st.booleans(),
    approval_seconds=st.integers(501, 10_000),
    execution_seconds=st.integers(1, 10_000),
)


@given(some)
def test_obligations_survive_being_stored(obligations):
    assert obligations_from(obligations.to_dict()) == obligations


@given(some, some)
def test_tightening_is_at_least_as_strict_as_both(one, other):
    try:
        both = tighten(one, other)
    except ObligationsConflict:
        if one.quorums or other.quorums:
            return
        assert not set(one.groups) & set(other.groups)
        assert set(one.groups) != set(other.groups)
        return
    assert obligations_from(both.to_dict()) == both
    assert set(both.groups) <= set(one.groups)
    for source in (one, other):
        assert both.quorum >= source.quorum
        assert both.four_eyes >= source.four_eyes
        assert both.reason_required >= source.reason_required
        assert both.step_up.strictness >= source.step_up.strictness
        assert both.type_target >= source.type_target
        assert both.approval_seconds <= source.approval_seconds
        assert both.execution_seconds <= source.execution_seconds
        owed = {seats.group: seats.need for seats in both.quorums}
        if source.quorums:
            assert all(owed[seats.group] >= seats.need for seats in source.quorums)
        else:
            assert set(both.groups) <= set(source.groups)
        if both.escalate is not None:
            assert source.escalate is not None
            assert both.escalate.to == source.escalate.to
            assert both.escalate.after_seconds >= source.escalate.after_seconds


@given(some)
def test_tightening_by_itself_changes_nothing(obligations):
    assert tighten(obligations, obligations) == obligations


def test_other_reviewers_are_a_conflict_and_never_a_wider_circle():
    with pytest.raises(ObligationsConflict) as refused:
        tighten(Obligations(groups=("release",)), Obligations(groups=("interns",)))
    assert refused.value.details == {"current": ["release"], "other": ["interns"]}


def test_the_team_s_unnamed_group_is_not_taken_for_any_group():
    with pytest.raises(ObligationsConflict):
        tighten(Obligations(groups=("release",)), Obligations())


def test_quorums_name_their_groups_and_add_up():
    read = obligations_from({"quorums": [{"group": "security"}, {"group": "ops", "need": 2}]})
    assert (read.groups, read.quorum) == (("security", "ops"), 3)
    assert read.quorums == (Seats(group="security", need=1), Seats(group="ops", need=2))


def test_a_rule_s_own_groups_replace_the_quorums_of_the_defaults():
    defaults = obligations_from({"quorums": [{"group": "security", "need": 2}]})
    assert obligations_from({"four_eyes": True}, defaults=defaults).quorums == defaults.quorums
    plain = obligations_from({"groups": ["ops"], "quorum": 1}, defaults=defaults)
    assert (plain.groups, plain.quorum, plain.quorums) == (("ops",), 1, ())
    assert obligations_from(plain.to_dict(), defaults=defaults) == plain


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({"quorums": "security"}, "obligations.quorums"),
        ({"quorums": 0}, "obligations.quorums"),
        ({"quorums": ["security"]}, "obligations.quorums[0]"),
        ({"quorums": [{"need": 1}]}, "obligations.quorums"),
        ({"quorums": [{"group": "a", "need": 0}]}, "obligations.quorums[0].need"),
        ({"quorums": [{"group": "a", "nee": 1}]}, "obligations.quorums[0]"),
        ({"quorums": [{"group": "a"}, {"group": "a"}]}, "obligations.quorums"),
        ({"quorums": [{"group": "a", "need": 20}, {"group": "b"}]}, "obligations.quorums"),
        ({"quorums": [{"group": "a"}], "groups": ["b"]}, "obligations.quorums"),
        ({"quorums": [{"group": "a"}], "quorum": 2}, "obligations.quorums"),
        ({"escalate": "x"}, "obligations.escalate"),
        ({"escalate": {"to": "x"}}, "obligations.escalate.after_seconds"),
        ({"escalate": {"after_seconds": 5}}, "obligations.escalate.to"),
        ({"escalate": {"to": "x", "after_seconds": 5, "why": ""}}, "obligations.escalate"),
        ({"escalate": {"to": "x", "after_seconds": 3600}}, "obligations.escalate.after_seconds"),
        ({"escalate": {"to": "x", "after_seconds": 5}, "groups": ["x"]}, "obligations.escalate.to"),
    ],
)
def test_quorums_and_escalations_that_make_no_sense_are_refused(written, path):
    with pytest.raises(PolicyInvalid) as refused:
        obligations_from(written)
    assert refused.value.details["path"].startswith(path)


def test_an_escalation_that_a_shorter_time_leaves_no_room_for_is_dropped():
    one = Obligations(groups=("a",), escalate=Escalation(to="x", after_seconds=60))
    assert tighten(one, Obligations(groups=("a",), approval_seconds=60)).escalate is None
    same = tighten(one, one)
    assert same.escalate == one.escalate


@pytest.mark.parametrize("value", ["", "passkeys", None, True, 1, []])
def test_a_step_up_that_nobody_knows_is_refused(value):
    with pytest.raises(PolicyInvalid, match="none, passkey_or_totp, passkey"):
        obligations_from({"step_up": value})
