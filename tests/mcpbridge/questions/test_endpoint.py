"""Sampling by a model that the operator runs: within limits, on record, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from approvals.models import Payload
from mcpbridge.models import QuestionAnswer, QuestionRecord
from mcpbridge.offload import in_database
from mcpbridge.questions import Answerer, Behalf
from mcpbridge.questions.endpoint import EndpointFailed, complete, model_for, prompt_of
from mcpbridge.upstream.question_settings import read_policy
from mcpbridge.upstream.questions import Endpoint, Question, QuestionPolicy, read_question
from tests.support.asker import FORM, SAMPLE
from tests.support.bridge import Bridge, a_bridge
from tests.support.chat import ChatEndpoint

KEY = "sk-not-a-real-key-4711"


@pytest.fixture
async def chat() -> AsyncIterator[ChatEndpoint]:
    made = ChatEndpoint()
    yield made
    await made.close()


@pytest.fixture
async def endpoint(chat: ChatEndpoint) -> Endpoint:
    return Endpoint(
        url=await chat.start(),
        models=("small", "large"),
        allow_private_addresses=True,
        seconds=5.0,
        api_key=KEY,
    )


def sampling(**changes: Any) -> Question:
    question = read_question("sampling/createMessage", {**SAMPLE, **changes})
    assert question is not None
    return question


async def ask(endpoint: Endpoint, **changes: Any) -> Any:
    question = sampling(**changes)
    model = model_for(endpoint, question.params)
    return await complete(endpoint, prompt_of(endpoint, question, model=model))


async def test_a_question_becomes_one_chat_completion_and_its_answer_a_message(
    chat: ChatEndpoint, endpoint: Endpoint
) -> None:
    given = await ask(endpoint, temperature=0.5, stopSequences=["\n"], maxTokens=5000)
    assert given.answer.result == {
        "role": "assistant",
        "content": {"type": "text", "text": "Paris."},
        "model": "small-2026",
        "stopReason": "endTurn",
    }
    assert (given.prompt_tokens, given.answer_tokens) == (12, 3)
    [(head, body)] = chat.requests
    assert head.startswith("POST /v1/chat/completions ")
    assert f"Authorization: Bearer {KEY}" in head
    assert body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital?"},
        ],
        "max_tokens": 1024,
        "stream": False,
        "temperature": 0.5,
        "stop": ["\n"],
    }


def test_a_hint_chooses_among_the_allowed_models_and_never_another_one() -> None:
    endpoint = Endpoint(url="http://127.0.0.1/v1", models=("small", "large"))
    hints = {"hints": [{"name": "huge"}, {"name": "LARGE"}]}
    assert model_for(endpoint, {"modelPreferences": hints}) == "large"
    assert model_for(endpoint, {"modelPreferences": {"hints": [{"name": "huge"}]}}) == "small"
    assert model_for(endpoint, {"modelPreferences": "hostile"}) == "small"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": 500}, "HTTP status 500"),
        ({"status": 302, "extra": "Location: http://169.254.169.254/\r\n"}, "HTTP status 302"),
        ({"raw": b"not json"}, "not JSON"),
        ({"raw": b'{"choices":[]}'}, "not a chat completion"),
        ({"raw": b'{"choices":[{"message":{"content":7}}],"model":"m"}'}, "not a chat completion"),
        ({"raw": b"x" * 300_000}, "longer than"),
        ({"extra": "Content-Encoding: gzip\r\n"}, "compressed"),
    ],
)
async def test_an_unusable_answer_of_the_endpoint_is_told_as_that(
    chat: ChatEndpoint, endpoint: Endpoint, changes: dict[str, Any], why: str
) -> None:
    for name, value in changes.items():
        setattr(chat, name, value)
    with pytest.raises(EndpointFailed, match=why):
        await ask(endpoint)
    assert len(chat.requests) == 1


async def test_a_silent_endpoint_costs_no_more_than_its_time(
    chat: ChatEndpoint, endpoint: Endpoint
) -> None:
    chat.delay = 30
    with pytest.raises(EndpointFailed, match="no answer within"):
        await ask(replace(endpoint, seconds=0.2))


async def test_an_endpoint_at_a_private_address_needs_an_admins_word(
    chat: ChatEndpoint, endpoint: Endpoint
) -> None:
    with pytest.raises(EndpointFailed, match="cannot be reached"):
        await ask(replace(endpoint, allow_private_addresses=False))
    assert chat.requests == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"messages": [{"role": "user", "content": {"type": "image", "data": "", "text": "x"}}]},
            "only text",
        ),
        ({"messages": [{"role": "root", "content": {"type": "text", "text": "x"}}]}, "role"),
        (
            {"messages": [{"role": "user", "content": {"type": "text", "text": "x" * 70_000}}]},
            "longer than",
        ),
    ],
)
async def test_what_cannot_be_put_to_the_model_never_leaves(
    chat: ChatEndpoint, endpoint: Endpoint, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(EndpointFailed, match=why):
        await ask(endpoint, **changes)
    assert chat.requests == []


# -- through an answerer: policy, record, limits --------------------------------------------------


@pytest.fixture
async def bridge(loop_parts: None, chat: ChatEndpoint, endpoint: Endpoint) -> Bridge:
    settings = {
        "sampling": "endpoint",
        "endpoint": {
            "url": endpoint.url,
            "models": ["small"],
            "allow_private_addresses": True,
            "per_minute": 2,
        },
    }
    return await in_database(lambda: a_bridge("http://127.0.0.1:9/mcp", questions=settings))


def answerer(bridge: Bridge, policy: QuestionPolicy | None = None) -> Answerer:
    call = bridge.agent.id  # any id: the call's own record is written by others
    return Answerer(
        policy or read_policy(bridge.upstream.questions, api_key=KEY),
        Behalf(
            upstream_id=bridge.upstream.id,
            upstream_digest=bytes(bridge.upstream.config_digest),
            agent_id=bridge.agent.id,
            person_id=bridge.agent.owner_id,
            call_id=call,
        ),
    )


async def test_every_exchange_is_on_record_with_who_model_tokens_and_sealed_words(
    bridge: Bridge, chat: ChatEndpoint
) -> None:
    answer = await answerer(bridge).answer(sampling())
    assert answer.result is not None

    def look() -> None:
        record = QuestionRecord.objects.select_related("answer").get()
        assert (record.agent_id, record.person_id) == (bridge.agent.id, bridge.agent.owner_id)
        assert (record.kind, record.mode, record.model) == ("sampling", "endpoint", "small")
        given = record.answer
        assert (given.status, given.model) == ("answered", "small-2026")
        assert (given.prompt_tokens, given.answer_tokens) == (12, 3)
        for payload in Payload.objects.all():
            assert b"capital" not in bytes(payload.ciphertext)
            assert KEY.encode() not in bytes(payload.ciphertext)

    await in_database(look)


async def test_no_more_are_asked_in_a_minute_than_the_admin_allows(
    bridge: Bridge, chat: ChatEndpoint
) -> None:
    asked = answerer(bridge)
    answers = await asyncio.gather(*(asked.answer(sampling()) for _ in range(4)))
    assert sum(answer.result is not None for answer in answers) == 2
    assert len(chat.requests) == 2
    assert any("2 of these" in answer.why for answer in answers)


async def test_a_failed_exchange_is_on_record_as_refused_without_the_endpoints_words(
    bridge: Bridge, chat: ChatEndpoint
) -> None:
    chat.status, chat.raw = 500, b"secret stack trace"
    answer = await answerer(bridge).answer(sampling())
    assert answer.result is None
    assert "secret" not in json.dumps(answer.member)
    found = await in_database(QuestionAnswer.objects.get)
    assert (found.status, found.reason) == ("refused", "the endpoint answered with HTTP status 500")


async def test_only_sampling_goes_to_the_endpoint(bridge: Bridge, chat: ChatEndpoint) -> None:
    question = read_question("elicitation/create", FORM)
    assert question is not None
    answer = await answerer(bridge).answer(question)
    assert answer.why == "this gateway does not answer such questions"
    assert chat.requests == []


async def test_a_fixed_list_of_roots_is_told_as_the_admin_wrote_it(bridge: Bridge) -> None:
    policy = read_policy({"roots": "fixed", "fixed_roots": [{"uri": "file:///srv/a", "name": "A"}]})
    question = read_question("roots/list", {})
    assert question is not None
    answer = await answerer(bridge, policy).answer(question)
    assert answer.result == {"roots": [{"uri": "file:///srv/a", "name": "A"}]}


async def test_without_an_agent_at_hand_nothing_is_put_to_one(bridge: Bridge) -> None:
    question = read_question("elicitation/create", FORM)
    assert question is not None
    answer = await answerer(bridge, read_policy({"elicitation": "agent"})).answer(question)
    assert answer.why == "the agent of this call does not answer such questions"
