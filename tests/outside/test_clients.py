"""Clients that nobody here wrote wait for people, give up, come back, and are never lied to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.outside import clients
from tests.outside.clients import JUDGES, QUICK, faults
from tests.support.standalone import run


@pytest.mark.requirement("any-client")
@pytest.mark.timeout(300)
def test_each_kind_of_client_gets_the_outcome_of_a_call_that_people_took_long_to_approve() -> None:
    told = run(clients.CHILD, engine="sqlite3", arguments=["quick"])
    clients.print_table(told)  # pytest shows it beside a failure
    assert faults(told, pace=QUICK) == []


def good() -> dict[str, dict[str, Any]]:
    return {
        judge.name: {
            "executed": int(judge.returns),
            "text": "noted\nApproved and executed once." if judge.returns else "",
            "error": "" if judge.returns else "timed out",
            "gave_up": judge.again,
            "waiting": "task" if judge.has_tasks else "held",
            "tickets": 1,
            "state": "succeeded" if judge.returns else "cancelled",
            "late_approval_refused": not judge.returns,
        }
        for judge in JUDGES
    }


def test_a_story_that_went_well_has_no_fault() -> None:
    assert faults(good()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"executed": 2}, "executed 2 times"),
        ({"text": "noted"}, "was told"),
        ({"tickets": 2}, "made 2 tickets"),
    ],
)
def test_a_client_that_was_served_wrongly_is_named(changes: dict[str, Any], fault: str) -> None:
    told = good()
    told["python modern"] |= changes
    (found,) = faults(told)
    assert found.startswith("python modern: ")
    assert fault in found


@pytest.mark.parametrize(
    "changes", [{"executed": 1}, {"state": "approved"}, {"late_approval_refused": False}]
)
def test_a_call_of_a_client_that_has_gone_must_not_run(changes: dict[str, Any]) -> None:
    told = good()
    told["typescript v1, gone for good"] |= changes
    assert len(faults(told)) == 1
