"""Obligations: stored, read back, and only ever tightened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.errors import ObligationsConflict
from approvals.domain.obligations import Obligations, obligations_from, tighten

groups = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple)
some = st.builds(
    Obligations,
    groups=groups,
    quorum=st.integers(1, 20),
    four_eyes=st.booleans(),
    reason_required=st.booleans(),
    approval_seconds=st.integers(1, 10_000),
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
        assert not set(one.groups) & set(other.groups)
        assert set(one.groups) != set(other.groups)
        return
    for source in (one, other):
        assert both.quorum >= source.quorum
        assert both.four_eyes >= source.four_eyes
        assert both.reason_required >= source.reason_required
        assert both.approval_seconds <= source.approval_seconds
        assert both.execution_seconds <= source.execution_seconds
        assert set(both.groups) <= set(source.groups)


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
