"""The coarse mark: raised by anything, lowered only by a word somebody trusts."""

import pytest

from approvals.domain.inspection import inspect
from approvals.domain.obligations import DEFAULT_OBLIGATIONS, Obligations
from approvals.domain.risk import Level, risk_of


def mark(annotations=None, *, trusted=False, text="", obligations=DEFAULT_OBLIGATIONS):
    return risk_of(
        annotations=annotations,
        annotations_trusted=trusted,
        findings=inspect(text, identifier_like=True).findings,
        obligations=obligations,
    )


@pytest.mark.parametrize(
    ("annotations", "trusted", "level"),
    [
        (None, False, Level.MEDIUM),
        (None, True, Level.MEDIUM),
        ({}, True, Level.MEDIUM),
        ({"readOnlyHint": True}, False, Level.MEDIUM),
        ({"readOnlyHint": True}, True, Level.LOW),
        ({"readOnlyHint": "true"}, True, Level.MEDIUM),
        ({"readOnlyHint": 1}, True, Level.MEDIUM),
        ({"destructiveHint": True}, False, Level.HIGH),
        ({"destructiveHint": False}, True, Level.MEDIUM),
        ({"readOnlyHint": True, "destructiveHint": True}, True, Level.LOW),
    ],
)
def test_annotations_raise_the_mark_and_lower_it_only_where_they_are_trusted(
    annotations, trusted, level
):
    assert mark(annotations, trusted=trusted).level is level


def test_misleading_characters_make_a_call_high_risk_whatever_the_tool_says():
    found = mark({"readOnlyHint": True}, trusted=True, text="a\u202eb")
    assert found.level is Level.HIGH
    assert "U+202E" in found.reasons[0]


def test_a_rule_that_asks_for_more_people_marks_the_call_high():
    assert mark(obligations=Obligations(quorum=2)).level is Level.HIGH
    assert mark(obligations=Obligations(four_eyes=True)).level is Level.HIGH


def test_every_mark_says_why():
    for annotations in (None, {"readOnlyHint": True}, {"destructiveHint": True}):
        for trusted in (False, True):
            assert mark(annotations, trusted=trusted).reasons
