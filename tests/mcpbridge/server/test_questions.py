"""What an upstream asks during a call reaches the agent of that very call, or nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from approvals import api
from approvals.models import Payload, Ticket
from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import issue_token
from mcpbridge.administration.upstreams import UpstreamSettings, change_upstream
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.models import Agent, CallCompletion, CallRecord, QuestionAnswer, QuestionRecord
from mcpbridge.offload import in_database
from mcpbridge.upstream.replies import SIDE_QUESTION_REFUSED
from tests.support.asker import EVERYTHING, Asker
from tests.support.bridge import Bridge, a_bridge
from tests.support.face import ERAS, ServedFace, served
from tests.support.waiting import eventually_async

ALLOW = {"name": "asking is fine", "effect": "allow"}
TO_AGENT = dict.fromkeys(EVERYTHING, "agent")
CAPABLE = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}


@dataclass
class Scene:
    """An asking upstream behind a served face."""

    asker: Asker
    bridge: Bridge
    face: ServedFace

    async def calls(self) -> list[CallRecord]:
        return await in_database(lambda: list(CallRecord.objects.order_by("started_at")))


type Make = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def make(loop_parts: None, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes one scene: `era` is the upstream's, `questions` who answers."""
    open_parts: list[Any] = []

    async def made(era: str, questions: dict[str, Any], **settings: Any) -> Scene:
        asker = Asker(tmp_path, era=era)
        url = await asker.start()
        open_parts.append(asker.close)
        bridge = await in_database(
            lambda: a_bridge(url, rules=(ALLOW,), questions=questions, **settings)
        )
        secret = await in_database(
            lambda: issue_token(actor="system:test", agent=bridge.agent).secret
        )
        running = served(secret=secret)
        face = await running.__aenter__()
        open_parts.append(lambda: running.__aexit__(None, None, None))
        return Scene(asker, bridge, face)

    yield made
    for close in reversed(open_parts):
        await close()


@dataclass
class Person:
    """Somebody at an agent's client, who answers what it is asked."""

    name: str
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def abilities(self, *kinds: str) -> dict[str, Any]:
        every = {
            "sampling": ("sampling_callback", self._sample),
            "elicitation": ("elicitation_callback", self._elicit),
            "roots": ("list_roots_callback", self._roots),
        }
        return dict(every[kind] for kind in kinds or EVERYTHING)

    async def _hear(self, kind: str) -> None:
        self.asked.append(kind)
        if self.gate is not None:
            await self.gate.wait()

    async def _sample(self, _context: Any, params: Any) -> CreateMessageResult:
        await self._hear("sampling")
        said = params.messages[0].content.text
        return CreateMessageResult(
            role="assistant",
            content=TextContent(type="text", text=f"{self.name} heard {said}"),
            model="mine",
        )

    async def _elicit(self, _context: Any, params: Any) -> ElicitResult:
        await self._hear("elicitation")
        return ElicitResult(action="accept", content={"name": self.name})

    async def _roots(self, _context: Any) -> ListRootsResult:
        await self._hear("roots")
        return ListRootsResult(roots=[Root(uri=f"file:///{self.name}")])


def ask(*kinds: str) -> dict[str, Any]:
    return {"name": "witness__ask", "arguments": {"questions": list(kinds)}}


def said(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_every_kind_of_question_reaches_the_agent_across_the_eras(
    make: Make, era: str, upstream: str
) -> None:
    scene, person = await make(upstream, TO_AGENT), Person("robo")
    async with scene.face.agent(era, **person.abilities()) as agent:
        result = await agent.call_tool(**ask(*EVERYTHING))
    answers = json.loads(said(result))
    assert sorted(person.asked) == sorted(EVERYTHING)
    assert answers["sampling"]["content"]["text"] == "robo heard What is the capital?"
    assert answers["elicitation"] == {"action": "accept", "content": {"name": "robo"}}
    assert answers["roots"]["roots"][0]["uri"] == "file:///robo"

    def recorded() -> list[tuple[str, str, str]]:
        rows = QuestionAnswer.objects.select_related("question")
        calls = set(CallRecord.objects.values_list("pk", flat=True))
        assert {row.question.call_id for row in rows} <= calls
        return sorted((row.question.kind, row.question.mode, row.status) for row in rows)

    assert await in_database(recorded) == sorted((k, "agent", "answered") for k in EVERYTHING)


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_by_default_nobody_is_asked_and_the_refusal_is_definite(
    make: Make, era: str, upstream: str
) -> None:
    scene, person = await make(upstream, {}), Person("robo")
    async with scene.face.agent(era, **person.abilities()) as agent:
        result = await agent.call_tool(**ask("elicitation"))
    assert person.asked == []
    if upstream == "modern":
        assert result.is_error
        assert said(result) == SIDE_QUESTION_REFUSED
        assert scene.asker.capabilities == [{}]
    else:
        assert json.loads(said(result))["elicitation"]["refused"]["code"] == -32601
    assert await in_database(QuestionRecord.objects.count) == 0


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_that_did_not_declare_the_kind_is_not_asked(
    make: Make, era: str, upstream: str
) -> None:
    scene, person = await make(upstream, TO_AGENT), Person("robo")
    async with scene.face.agent(era, **person.abilities("roots")) as agent:
        result = await agent.call_tool(**ask("sampling"))
    assert person.asked == []
    refused = SIDE_QUESTION_REFUSED if upstream == "modern" else "does not answer such questions"
    assert refused in said(result)
    if upstream == "modern":
        assert list(scene.asker.capabilities[0]) == ["roots"]


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_two_agents_in_one_shared_session_each_hear_only_their_own_question(
    make: Make, era: str, upstream: str
) -> None:
    scene = await make(upstream, TO_AGENT)
    cast = scene.bridge.cast

    def another() -> str:
        agent = Agent.objects.create(name="other", team=cast.team, owner=cast.alice.person)
        return issue_token(actor="system:test", agent=agent).secret

    both_asked = asyncio.Event()
    one, two = Person("one", gate=both_asked), Person("two", gate=both_asked)
    other = ServedFace(scene.face.face, scene.face.origin, await in_database(another))
    async with (
        scene.face.agent(era, **one.abilities()) as first,
        other.agent(era, **two.abilities()) as second,
    ):
        calls = [
            asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
            for agent in (first, second)
        ]
        await eventually_async(lambda: one.asked and two.asked)
        both_asked.set()
        results = await asyncio.gather(*calls)
    names = [json.loads(said(result))["elicitation"]["content"]["name"] for result in results]
    assert names == ["one", "two"]
    assert (one.asked, two.asked) == (["elicitation"], ["elicitation"])


async def test_each_round_with_a_modern_upstream_is_a_call_on_record(make: Make) -> None:
    scene, person = await make("modern", TO_AGENT), Person("robo")
    async with scene.face.agent("legacy", **person.abilities()) as agent:
        await agent.call_tool(**ask("elicitation"))
    assert len(scene.asker.asked) == len(await scene.calls()) == 2

    async def recorded() -> bool:
        found = await in_database(
            lambda: sorted(CallCompletion.objects.values_list("reason", flat=True))
        )
        return found == ["", "input_required"]

    await eventually_async(recorded)


async def test_an_upstream_that_never_stops_asking_is_given_up(make: Make) -> None:
    scene, person = await make("modern", TO_AGENT), Person("robo")
    scene.asker._modern = lambda *_: {  # type: ignore[method-assign]  # asks for ever
        "resultType": "input_required",
        "requestState": "again",
    }
    async with scene.face.agent("legacy", **person.abilities()) as agent:
        result = await agent.call_tool(**ask())
    assert said(result) == SIDE_QUESTION_REFUSED
    assert len(await scene.calls()) == 8


# -- a modern agent before a legacy upstream: the call stays open ---------------------------------


async def begin(scene: Scene, *kinds: str) -> dict[str, Any]:
    answer = (await scene.face.modern("tools/call", {**ask(*kinds), "_meta": CAPABLE})).json()
    result: dict[str, Any] = answer["result"]
    assert result["resultType"] == "input_required"
    return result


async def come_back(
    scene: Scene, face: ServedFace, asked: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    answers = {
        key: {"action": "accept", "content": {"name": "back"}} for key in asked["inputRequests"]
    }
    params = {
        **ask("elicitation"),
        "inputResponses": answers,
        "requestState": asked["requestState"],
        "_meta": CAPABLE,
        **changes,
    }
    answer: dict[str, Any] = (await face.modern("tools/call", params)).json()
    return answer


async def test_a_legacy_call_stays_open_until_its_agent_comes_back(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    asked = await begin(scene, "elicitation")
    assert len(scene.asker.asked) == 1
    answer = await come_back(scene, scene.face, asked)
    assert json.loads(answer["result"]["content"][0]["text"])["elicitation"]["content"] == {
        "name": "back"
    }
    assert len(scene.asker.asked) == len(await scene.calls()) == 1


async def test_an_agent_that_never_comes_back_has_its_call_aborted(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    lot = scene.face.face.handlers._parts.road.parked
    lot.seconds = 0.2
    asked = await begin(scene, "elicitation")
    await eventually_async(lambda: len(lot) == 0)
    assert scene.asker.told == []

    async def recorded() -> bool:
        return await in_database(CallCompletion.objects.filter(reason="aborted").exists)

    await eventually_async(recorded)
    answer = await come_back(scene, scene.face, asked)
    assert answer.get("error") or "may" in answer["result"]["content"][0]["text"]


async def test_another_agent_cannot_answer_for_the_one_that_was_asked(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    cast = scene.bridge.cast

    def another() -> str:
        agent = Agent.objects.create(name="other", team=cast.team, owner=cast.alice.person)
        return issue_token(actor="system:test", agent=agent).secret

    asked = await begin(scene, "elicitation")
    other = ServedFace(scene.face.face, scene.face.origin, await in_database(another))
    refused = await come_back(scene, other, asked)
    assert refused["error"]["data"]["reason"] == "request_state_invalid"
    assert scene.asker.told == []
    assert "result" in await come_back(scene, scene.face, asked)


async def test_a_state_is_honoured_once_and_only_with_its_own_request(make: Make) -> None:
    scene = await make("modern", TO_AGENT)
    asked = await begin(scene, "elicitation")
    foreign = await come_back(scene, scene.face, asked, arguments={"questions": []})
    assert foreign["error"]["data"]["reason"] == "request_state_invalid"
    changed = await come_back(
        scene, scene.face, {**asked, "requestState": asked["requestState"] + "A"}
    )
    assert changed["error"]["data"]["reason"] == "request_state_invalid"
    assert "result" in await come_back(scene, scene.face, asked)
    again = await come_back(scene, scene.face, asked)
    assert again["error"]["data"]["reason"] == "request_state_used"


async def test_no_more_calls_are_parked_than_there_is_room_for(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    scene.face.face.handlers._parts.road.parked._most_of_one_agent = 1
    await begin(scene, "elicitation")
    params = {**ask("elicitation"), "_meta": CAPABLE}
    answer = (await scene.face.modern("tools/call", params)).json()
    assert "did not answer" in answer["result"]["content"][0]["text"]


async def test_a_malformed_answer_is_not_passed_on_and_the_question_stays_open(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    asked = await begin(scene, "elicitation")
    key = next(iter(asked["inputRequests"]))
    wrong = await come_back(
        scene, scene.face, asked, inputResponses={key: {"roots": [{"uri": "file:///"}]}}
    )
    assert wrong["result"]["resultType"] == "input_required"
    assert "result" in await come_back(scene, scene.face, wrong["result"])
    assert len(scene.asker.told) == 1


# -- answers that nobody asked for ----------------------------------------------------------------


async def test_an_agent_cannot_answer_for_somebody_else_by_answering_unasked(make: Make) -> None:
    scene = await make("modern", {"elicitation": "agent", "roots": "fixed"})
    forged = {
        "roots": {"roots": [{"uri": "file:///etc"}]},
        "elicitation": {"action": "accept", "content": {"name": "unasked"}},
    }
    params = {**ask("elicitation", "roots"), "inputResponses": forged, "_meta": CAPABLE}
    answer = (await scene.face.modern("tools/call", params)).json()
    assert scene.asker.asked[0]["inputResponses"] == {"elicitation": forged["elicitation"]}
    told = json.loads(answer["result"]["content"][0]["text"])
    assert told["roots"] == {"roots": []}


# -- what is on record ----------------------------------------------------------------------------


async def test_the_kill_switch_lets_no_answer_leave(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)
    asked = await begin(scene, "elicitation")

    def stop_everything() -> None:
        person = scene.bridge.cast.carol.person
        person.is_admin = True
        person.save()
        ledger.kill(user=scene.bridge.cast.carol)

    await in_database(stop_everything)
    await come_back(scene, scene.face, asked)
    assert not any("content" in told.get("elicitation", {}) for told in scene.asker.told)


def take_back(scene: Scene, questions: dict[str, Any]) -> None:
    """An admin changes who answers the upstream."""
    upstream = scene.bridge.upstream
    change_upstream(
        actor="system:test",
        upstream_id=upstream.pk,
        settings=UpstreamSettings(
            transport="http",
            url=upstream.url,
            allow_private_addresses=True,
            team_ids=frozenset({scene.bridge.cast.team.pk}),
            questions=questions,
        ),
    )


@pytest.mark.parametrize("questions", [{}, {"roots": "fixed"}])
async def test_an_answer_to_what_was_asked_before_the_upstream_changed_is_not_passed_on(
    make: Make, questions: dict[str, Any]
) -> None:
    scene = await make("modern", TO_AGENT)
    asked = await begin(scene, "elicitation")
    await in_database(take_back, scene, questions)
    answer = await come_back(scene, scene.face, asked)
    assert not any("inputResponses" in call for call in scene.asker.asked)
    assert not any("requestState" in call for call in scene.asker.asked)
    if questions:
        assert "was changed since it asked" in answer["result"]["content"][0]["text"]


async def test_a_question_of_a_changed_upstream_is_put_to_nobody(make: Make) -> None:
    scene, person = await make("legacy", TO_AGENT), Person("robo", gate=asyncio.Event())
    async with scene.face.agent("legacy", **person.abilities()) as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
        await eventually_async(lambda: person.asked)
        await in_database(take_back, scene, {})
        assert person.gate is not None
        person.gate.set()
        result = await call
    assert "no longer in force" in said(result)


async def test_questions_and_answers_are_sealed_and_never_changed(make: Make) -> None:
    scene, person = await make("legacy", TO_AGENT), Person("robo")
    async with scene.face.agent("legacy", **person.abilities()) as agent:
        await agent.call_tool(**ask("elicitation"))

    def look() -> None:
        record = QuestionRecord.objects.get()
        kept = Payload.objects.filter(pk__in=[record.question_id, record.answer.answer_id])
        assert kept.count() == 2
        with pytest.raises(IntegrityError, match="refuses UPDATE"):
            QuestionRecord.objects.update(mode="x")
        with pytest.raises(IntegrityError, match="refuses UPDATE"):
            QuestionAnswer.objects.update(status="x")
        with pytest.raises(IntegrityError, match="refuses DELETE"):
            QuestionAnswer.objects.all()._raw_delete("default")

    await in_database(look)


async def test_an_agents_refusal_reaches_the_upstream_as_one(make: Make) -> None:
    scene = await make("legacy", TO_AGENT)

    async def no(_context: Any, _params: Any) -> Any:
        raise MCPError(code=-1, message="no")

    async with scene.face.agent("legacy", elicitation_callback=no) as agent:
        result = await agent.call_tool(**ask("elicitation"))
    assert "refused" in json.loads(said(result))["elicitation"]


# -- questions that people answer ------------------------------------------------------------------

TO_PEOPLE = {"elicitation": "person"}


def decided(scene: Scene, uid: Any, verdict: api.Answer, **typed: Any) -> None:
    api.decide(
        uid=uid,
        user=scene.bridge.cast.bob,
        verdict=verdict,
        seen_digest=bytes(Ticket.objects.get(uid=uid).digest),
        reason="",
        nonce=token_hex(16),
        typed=typed or None,
    )


async def the_ticket() -> Ticket:
    found = await eventually_async(lambda: in_database(Ticket.objects.first))
    assert isinstance(found, Ticket)
    return found


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_person_answers_through_a_ticket_and_the_upstream_gets_what_was_typed(
    make: Make, era: str, upstream: str
) -> None:
    scene = await make(upstream, TO_PEOPLE)
    async with scene.face.agent(era) as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
        ticket = await the_ticket()
        assert (ticket.tool_name, ticket.upstream_name) == ("elicitation/create", "witness")
        await in_database(
            lambda: decided(scene, ticket.uid, api.Answer.APPROVE, name="Bob himself")
        )
        await run_ticket(ticket.uid, worker="w1")
        result = await call
    assert json.loads(said(result))["elicitation"] == {
        "action": "accept",
        "content": {"name": "Bob himself"},
    }
    record = await in_database(QuestionRecord.objects.get)
    assert record.mode == "person"
    await in_database(lambda: call_command("verify_audit", stdout=StringIO()))


@pytest.mark.parametrize("upstream", ["modern", "legacy"])
async def test_a_person_writes_what_a_model_would_have_said(make: Make, upstream: str) -> None:
    scene = await make(upstream, {"sampling": "person"})
    async with scene.face.agent(upstream) as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("sampling")))
        ticket = await the_ticket()
        assert ticket.tool_name == "sampling/createMessage"
        await in_database(
            lambda: decided(scene, ticket.uid, api.Answer.APPROVE, reply="Paris,\r\nI think")
        )
        await run_ticket(ticket.uid, worker="w1")
        result = await call
    answer = json.loads(said(result))["sampling"]
    assert answer["content"] == {"type": "text", "text": "Paris,\nI think"}
    assert (answer["role"], answer["model"]) == ("assistant", "a person")
    assert (await in_database(QuestionRecord.objects.get)).mode == "person"


async def test_a_model_that_reviewers_refuse_to_be_is_an_error_to_the_upstream(make: Make) -> None:
    scene = await make("legacy", {"sampling": "person"})
    async with scene.face.agent("legacy") as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("sampling")))
        ticket = await the_ticket()
        with pytest.raises(api.AnswerUnfit):
            await in_database(lambda: decided(scene, ticket.uid, api.Answer.APPROVE, reply=""))
        await in_database(lambda: decided(scene, ticket.uid, api.Answer.REJECT))
        result = await call
    assert "refused" in json.loads(said(result))["sampling"]


async def test_a_question_that_reviewers_reject_is_declined(make: Make) -> None:
    scene = await make("legacy", TO_PEOPLE)
    async with scene.face.agent("legacy") as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
        ticket = await the_ticket()
        await in_database(lambda: decided(scene, ticket.uid, api.Answer.REJECT))
        result = await call
    assert json.loads(said(result))["elicitation"] == {"action": "decline"}


async def test_an_approval_without_a_fitting_answer_is_refused(make: Make) -> None:
    scene = await make("legacy", TO_PEOPLE)
    async with scene.face.agent("legacy") as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
        ticket = await the_ticket()
        with pytest.raises(api.AnswerMissing):
            await in_database(lambda: decided(scene, ticket.uid, api.Answer.APPROVE))
        with pytest.raises(api.AnswerUnfit):
            await in_database(lambda: decided(scene, ticket.uid, api.Answer.APPROVE, other=1))
        await in_database(lambda: decided(scene, ticket.uid, api.Answer.REJECT))
        await call


async def test_a_question_is_withdrawn_when_its_call_is_over(make: Make) -> None:
    scene = await make("legacy", TO_PEOPLE)
    scene.asker.patience = 0.5
    async with scene.face.agent("legacy") as agent:
        call = asyncio.ensure_future(agent.call_tool(**ask("elicitation")))
        ticket = await the_ticket()
        await asyncio.wait({call}, timeout=10)

        async def withdrawn() -> bool:
            found = await in_database(lambda: Ticket.objects.get(pk=ticket.pk))
            return found.state == "cancelled"

        await eventually_async(withdrawn)


async def test_a_rule_that_denies_keeps_the_question_from_people(make: Make) -> None:
    scene = await make("legacy", TO_PEOPLE)
    rules = [{"name": "no", "tool": "elicitation/create", "effect": "deny"}, ALLOW]
    await in_database(lambda: ledger.publish_policy(document={"rules": rules}))
    async with scene.face.agent("legacy") as agent:
        result = await agent.call_tool(**ask("elicitation"))
    assert "refused" in json.loads(said(result))["elicitation"]
    assert await in_database(Ticket.objects.count) == 0
