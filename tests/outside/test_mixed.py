"""Upstreams of every kind in one list answer through the bridge as they do directly."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.outside import mixed
from tests.outside.mixed import CALLS, IN_SUITE, OURS_IN_RESULT, ROADS, faults, same
from tests.support.standalone import run


@pytest.mark.requirement("same-result")
@pytest.mark.timeout(360)
def test_every_tool_of_several_kinds_of_upstream_answers_as_directly_in_both_eras() -> None:
    found = run(mixed.CHILD, engine="sqlite3", arguments=list(IN_SUITE))
    wrong = {road: faults(found["direct"], found[road], upstreams=IN_SUITE) for road in ROADS}
    assert wrong == {road: [] for road in ROADS}


def told(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"result": {"content": [{"type": "text", "text": text}], "isError": False, **more}}


@pytest.mark.parametrize(
    "bridged",
    [
        told("hullo"),
        told(isError=True),
        told(structuredContent={"n": 1}),
        told(_meta={"example.org/extra": 1}),
        {"error": {"code": -32603, "message": "hello"}},
    ],
)
def test_a_result_that_differs_in_any_field_is_found(bridged: dict[str, Any]) -> None:
    assert not same("files", "read_file", told(), bridged)


def test_what_is_the_gateways_right_is_no_difference() -> None:
    ours = {"_meta": {"io.modelcontextprotocol/serverInfo": {"name": "placet"}}}
    assert same("files", "read_file", told(), told(**ours, **dict.fromkeys(OURS_IN_RESULT, "x")))


def test_an_error_of_the_protocol_may_only_become_a_failed_result_with_its_words() -> None:
    direct = {"error": {"code": -32602, "message": "no such luck"}}
    assert same("files", "read_file", direct, told("It said: no such luck", isError=True))
    assert not same("files", "read_file", direct, told("It said: no such luck"))
    assert not same("files", "read_file", direct, told("something", isError=True))


def test_only_what_a_table_names_may_change_from_call_to_call() -> None:
    one, other = told("created: 1\nsize: 5"), told("created: 2\nsize: 5")
    assert same("files", "get_file_info", one, other)
    assert not same("files", "get_file_info", one, told("created: 2\nsize: 6"))
    assert not same("files", "read_file", one, other)


def a_world() -> dict[str, Any]:
    return {
        upstream: {
            "tools": {tool: {"name": tool, "inputSchema": {}} for tool, _ in calls},
            "calls": [told() for _ in calls],
        }
        for upstream, calls in CALLS.items()
    }


def test_a_tool_that_is_missing_uncalled_or_described_otherwise_is_found() -> None:
    direct = a_world()
    assert faults(direct, copy.deepcopy(direct)) == []
    bridged = copy.deepcopy(direct)
    del bridged["git"]["tools"]["git_log"]
    bridged["git"]["tools"]["git_show"]["inputSchema"] = {"type": "object"}
    direct["git"]["tools"]["git_blame"] = bridged["git"]["tools"]["git_blame"] = {}
    found = faults(direct, bridged)
    assert [line.split(" is ")[0] for line in found] == [
        "git: nobody calls git_blame",
        "git: git_log",
        "git: git_show",
    ]
