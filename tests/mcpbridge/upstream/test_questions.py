"""Which questions are questions, which answers are answers, and who may be told what. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mcpbridge.upstream.question_settings import BadQuestions, read_policy
from mcpbridge.upstream.questions import (
    Kind,
    QuestionPolicy,
    can_answer,
    kind_of_answer,
    read_question,
)
from mcpbridge.upstream.replies import questions_of, read_message
from mcpbridge.upstream.spec import UpstreamSpec, config_digest
from tests.support.asker import FORM, QUESTIONS, SAMPLE

ENDPOINT = {"url": "http://127.0.0.1:11434/v1", "models": ["small"]}
URL = {"mode": "url", "message": "Sign in", "url": "https://example.com/", "elicitationId": "1"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {}),
        (7, {}),
        ("elicitation/create", {"message": "no schema"}),
        ("elicitation/create", {"requestedSchema": {}}),
        ("elicitation/create", {**FORM, "mode": "telepathy"}),
        ("elicitation/create", {**URL, "url": "javascript:alert(1)"}),
        ("sampling/createMessage", {"messages": "x", "maxTokens": 1}),
        ("sampling/createMessage", {"messages": [], "maxTokens": 0}),
        ("sampling/createMessage", {"messages": ["x"], "maxTokens": 1}),
        ("elicitation/create", {**FORM, "message": "x" * 300_000}),
        ("roots/list", []),
    ],
)
def test_what_is_no_well_formed_question_is_put_to_nobody(method: Any, params: Any) -> None:
    assert read_question(method, params) is None


@pytest.mark.parametrize(
    ("declared", "method", "params", "can"),
    [
        ({"elicitation": {}}, "elicitation/create", FORM, True),
        ({"elicitation": {"form": {}}}, "elicitation/create", FORM, True),
        ({"elicitation": {"url": {}}}, "elicitation/create", FORM, False),
        ({"elicitation": {}}, "elicitation/create", URL, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", URL, True),
        ({"elicitation": None}, "elicitation/create", FORM, False),
        ({"sampling": {}}, "sampling/createMessage", SAMPLE, True),
        ({"sampling": {}}, "sampling/createMessage", {**SAMPLE, "tools": []}, False),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {**SAMPLE, "tools": []}, True),
        ({"sampling": {}}, "roots/list", {}, False),
        ({"roots": {}}, "roots/list", {}, True),
    ],
)
def test_an_agent_is_asked_only_what_it_declared(
    declared: dict[str, Any], method: str, params: dict[str, Any], can: bool
) -> None:
    question = read_question(method, params)
    assert question is not None
    assert can_answer(declared, question) is can


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"action": "accept", "content": {"n": 1, "tags": ["a"]}}, Kind.ELICITATION),
        ({"action": "decline"}, Kind.ELICITATION),
        ({"action": "accept", "content": {"deep": {"er": 1}}}, None),
        ({"action": "approve"}, None),
        ({"roots": [{"uri": "file:///a"}]}, Kind.ROOTS),
        ({"roots": [{"name": "a"}]}, None),
        (
            {"role": "assistant", "model": "m", "content": {"type": "text", "text": "x"}},
            Kind.SAMPLING,
        ),
        ({"role": "assistant", "content": {"type": "text", "text": "x"}}, None),
        ({"action": "accept", "roots": [{"uri": "file:///a"}]}, None),
        ({"action": "accept", "content": {"x": "y" * 2_000_000}}, None),
        ("accept", None),
        (None, None),
    ],
)
def test_an_answer_is_one_kind_of_answer_or_none(answer: Any, kind: Kind | None) -> None:
    assert kind_of_answer(answer) == kind


def test_an_upstream_is_told_only_what_somebody_answers() -> None:
    policy = read_policy({"sampling": "agent", "elicitation": "refuse", "roots": "fixed"})
    assert policy.capabilities() == {"sampling": {}, "roots": {}}
    assert policy.capabilities({"sampling": {"tools": {}}, "elicitation": {}}) == {
        "sampling": {"tools": {}},
        "roots": {},
    }
    assert policy.capabilities({}) == {"roots": {}}
    assert QuestionPolicy().capabilities({"sampling": {}}) == {}


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        ({"sampling": "everybody"}, "questions.sampling must be one of"),
        ({"elicitation": "endpoint"}, "questions.elicitation must be one of"),
        ({"roots": "endpoint"}, "questions.roots must be one of"),
        ({"telepathy": "agent"}, "has no 'telepathy'"),
        ({"sampling": "endpoint"}, "must name a URL and its models"),
        ({"endpoint": {**ENDPOINT, "url": "ftp://x/"}}, "questions.endpoint.url"),
        ({"endpoint": {**ENDPOINT, "url": "http://u:p@x/v1"}}, "questions.endpoint.url"),
        ({"endpoint": {**ENDPOINT, "models": []}}, "questions.endpoint.models"),
        ({"endpoint": {**ENDPOINT, "max_tokens": 0}}, "questions.endpoint.max_tokens"),
        ({"endpoint": {**ENDPOINT, "seconds": 1e9}}, "questions.endpoint.seconds"),
        ({"endpoint": {**ENDPOINT, "key": "x"}}, "has no 'key'"),
        ({"endpoint": {**ENDPOINT, "allow_private_addresses": "yes"}}, "true or false"),
        ({"endpoint": "http://x/"}, "must be an object"),
        ({"fixed_roots": [{"uri": "http://x/"}]}, "questions.fixed_roots takes"),
        ({"fixed_roots": "file:///"}, "must be a list"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_its_place(
    plain: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadQuestions, match=why):
        read_policy(plain)


def test_who_answers_is_bound_by_an_approval_and_its_absence_changes_nothing() -> None:
    plain = UpstreamSpec(id="u", name="u", transport="http", url="https://example.com/mcp")
    agents = replace(plain, questions=read_policy({"elicitation": "agent"}))
    model = replace(plain, questions=read_policy({"sampling": "endpoint", "endpoint": ENDPOINT}))
    other = {**ENDPOINT, "url": "http://127.0.0.1:1/v1"}
    moved = replace(plain, questions=read_policy({"sampling": "endpoint", "endpoint": other}))
    slower = {**ENDPOINT, "seconds": 9}
    same = replace(plain, questions=read_policy({"sampling": "endpoint", "endpoint": slower}))
    digests = [config_digest(spec) for spec in (plain, agents, model, moved)]
    assert len(set(digests)) == 4
    assert config_digest(same) == config_digest(model)
    unused = replace(plain, questions=read_policy({"endpoint": ENDPOINT}))
    assert config_digest(unused) == config_digest(plain)
    assert "sk-" not in repr(read_policy({"endpoint": ENDPOINT}, api_key="sk-1"))


def _input_required(**result: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "input_required", **result}}
    return read_message(json.dumps(body).encode())


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"inputRequests": {}},
        {"inputRequests": [1]},
        {"inputRequests": {"a": 1}},
        {"inputRequests": {"a": {"method": "tools/call", "params": {}}}},
        {"inputRequests": {str(n): QUESTIONS["roots"] for n in range(20)}},
        {"inputRequests": {"a": QUESTIONS["roots"]}, "requestState": 7},
        {"requestState": "x" * 70_000},
    ],
)
def test_questions_that_cannot_be_answered_are_none(result: dict[str, Any]) -> None:
    assert questions_of(_input_required(**result)) is None


def test_questions_keep_their_keys_and_the_upstreams_own_state() -> None:
    found = questions_of(
        _input_required(inputRequests={"a": QUESTIONS["roots"]}, requestState="theirs")
    )
    assert found is not None
    assert found.requests["a"].kind is Kind.ROOTS
    assert found.state == "theirs"
