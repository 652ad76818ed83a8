"""The public conformance suite judges the bridge in front of its own everything server."""

from __future__ import annotations

import pytest
import yaml

from tests.outside import conformance
from tests.outside.conformance import REVISIONS, not_drivable, required, surprises
from tests.support.standalone import run

PASS = {"id": "c", "status": "SUCCESS"}
FAIL = {"id": "c", "status": "FAILURE", "errorMessage": "no"}


@pytest.mark.requirement("conformance")
@pytest.mark.timeout(600)
def test_every_scenario_that_a_revision_requires_passes_through_the_bridge() -> None:
    found = run(conformance.CHILD, engine="sqlite3", arguments=list(REVISIONS))
    wrong = {}
    for revision in REVISIONS:
        conformance.print_table(revision, found[revision])  # pytest shows it beside a failure
        must, known = required(revision), not_drivable(revision)
        wrong[revision] = surprises(found[revision], must=must, known=known)
    assert wrong == {revision: [] for revision in REVISIONS}


def test_a_scenario_that_fails_or_is_missing_or_shows_nothing_is_a_surprise() -> None:
    results = {"a": [PASS, FAIL], "b": [PASS], "c": [{"id": "c", "status": "SKIPPED"}]}
    assert surprises(results, must=["a", "b", "c", "d"], known={}) == [
        "a: c: no",
        "c: showed nothing",
        "d: was not run",
    ]


def test_what_cannot_be_driven_is_of_the_tasks_extension_and_does_not_pass() -> None:
    known = {"tasks-a": "cannot", "tasks-b": "cannot", "c": "cannot", "tasks-z": "cannot"}
    results = {"tasks-a": [FAIL], "tasks-b": [PASS], "c": [FAIL]}
    assert surprises(results, must=["tasks-a", "tasks-b", "c"], known=known) == [
        "tasks-b passes: remove it from not_drivable.yaml",
        "c may not stand in not_drivable.yaml",
        "tasks-z may not stand in not_drivable.yaml",
    ]


def test_each_reason_belongs_to_a_revision_that_is_judged() -> None:
    found = yaml.safe_load(conformance.NOT_DRIVABLE.read_text())
    assert set(found) == set(REVISIONS)  # and a bare date would be none
    assert all(not_drivable(revision) == found[revision] for revision in REVISIONS)
