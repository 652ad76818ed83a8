"""A question that a person answers: a ticket whose approval carries what they typed.

The ticket goes through the ledger like any other: policy may deny it, reviewers see the question,
the owner of the agent does not answer, and a worker hands the answer over as the outcome. Here it
is opened and waited for. An elicitation is a form of primitive values, a sampling one text that
takes the place of a model's; anything else is refused unseen.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import Error as DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import (
    CallFacts,
    Effect,
    NotCanonical,
    Refusal,
    State,
    Submission,
    TicketView,
    Waiting,
    canonical_bytes,
)
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.snapshot import Source
from mcpbridge.offload import in_database
from mcpbridge.upstream.questions import FAILED_CODE, Answer, Kind, Question, refusal

logger = logging.getLogger(__name__)

ANSWERED_BY_PEOPLE: Final = frozenset({"elicitation/create", "sampling/createMessage"})
LOOK_SECONDS: Final = 1.0
MOST_CHARACTERS: Final = 10_000
CHARACTERS_A_TOKEN: Final = 4  # about; an upstream limits an answer in tokens
NO_FORM: Final = "people here answer only forms of plain fields"
NO_TOOLS: Final = "people here answer with words, not with calls of tools"
REJECTED: Final = "the people who were asked do not answer this"
NOT_IN_TIME: Final = "nobody answered in time"
A_PERSON: Final = "a person"  # what stands where a model's name is wanted

_FORM_PARTS: Final = MappingProxyType(
    {
        "message": {"type": "string"},
        "requestedSchema": {"type": "object"},
        "mode": {"type": "string"},
    }
)
_SAMPLING_PARTS: Final = MappingProxyType(
    {
        "systemPrompt": {"type": "string"},
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "role": {"type": "string"},
                    "content": {
                        "type": "object",
                        "properties": {"type": {"type": "string"}, "text": {"type": "string"}},
                    },
                },
            },
        },
        "maxTokens": {"type": "integer"},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the questions of one call are put to people, while `holder_id` holds the call."""

    principal: Principal
    source: Source
    holder_id: UUID

    async def ask(self, question: Question) -> Answer:
        """Open a ticket and wait for its end. Withdraws it when nobody waits any more."""
        unfit = _unfit(question)
        if unfit is not None:
            return unfit
        try:
            ticket = await in_database(self._open, question)
        except (Refusal, NotCanonical) as refused:
            return refusal(f"the question was not put to anybody: {refused}", code=FAILED_CODE)
        try:
            while not ticket.is_over:
                await asyncio.sleep(LOOK_SECONDS)
                ticket = await self._look(ticket)
        finally:
            if not ticket.is_over:
                await asyncio.shield(self._withdraw(ticket.uid))
        return _answer(question.kind, ticket)

    async def _look(self, ticket: TicketView) -> TicketView:
        try:
            return await in_database(ledger.view, uid=ticket.uid, agent_id=self.principal.agent_id)
        except DatabaseError:
            logger.warning("Ticket %d cannot be looked at now.", ticket.number)
            return ticket

    async def _withdraw(self, uid: UUID) -> None:
        try:
            await in_database(ledger.withdraw, uid=uid, agent_id=self.principal.agent_id)
        except (Refusal, DatabaseError) as problem:
            logger.info("A question's ticket was not withdrawn: %s", problem)

    def _open(self, question: Question) -> TicketView:
        facts = CallFacts(
            upstream=self.source.name, tool=question.method, agent=self.principal.agent_name
        )
        judgement = ledger.judge(facts)
        if judgement.verdict.effect is Effect.ALLOW:
            # An admin chose that people answer, so a rule that allows does not answer for them.
            verdict = replace(judgement.verdict, effect=Effect.REQUIRE_APPROVAL)
            judgement = replace(judgement, verdict=verdict)
        definition = _definition(question)
        digest = hashlib.sha256(canonical_bytes(definition)).digest()
        params = {key: value for key, value in question.params.items() if key != "_meta"}
        submission = Submission(
            agent_id=self.principal.agent_id,
            agent_name=self.principal.agent_name,
            token_id=self.principal.token_id,
            team_id=self.principal.team_id,
            person_id=self.principal.person_id,
            upstream_id=self.source.id,
            upstream_name=self.source.name,
            upstream_digest=self.source.digest,
            tool_name=question.method,
            tool_digest=digest,
            tool_definition=definition,
            arguments=canonical_bytes(params),
            idempotency_key=_key(),
            waiting=Waiting.HELD,
            holder_id=self.holder_id,
            grace_seconds=self.principal.grace_seconds,
            max_open_tickets=self.principal.max_open_tickets,
        )
        return ledger.submit(call=submission, judgement=judgement).ticket


def _key() -> str:
    """No two questions are repeats of each other, even in the same words."""
    return f"question:{uuid4()}"


def _unfit(question: Question) -> Answer | None:
    """The refusal of what people here cannot be asked."""
    if question.kind is Kind.SAMPLING:
        wants_calls = {"tools", "toolChoice"} & set(question.params)
        return refusal(NO_TOOLS) if wants_calls else None
    if question.kind is Kind.ELICITATION and ledger.can_be_asked(
        question.params.get("requestedSchema")
    ):
        return None
    return refusal(NO_FORM)


def _definition(question: Question) -> dict[str, Any]:
    """What the ticket says of the question, and the form that it asks people to fill in."""
    is_sampling = question.kind is Kind.SAMPLING
    form = _reply_form(question) if is_sampling else question.params["requestedSchema"]
    return {
        "name": question.method,
        "description": (
            "The upstream asks for a model's words during a call of this agent. Whoever approves"
            " writes them."
            if is_sampling
            else "The upstream asks a person during a call of this agent. Whoever approves answers."
        )
        + " The answer goes to the upstream.",
        "inputSchema": {
            "type": "object",
            "properties": dict(_SAMPLING_PARTS if is_sampling else _FORM_PARTS),
        },
        "answerSchema": form,
    }


def _reply_form(question: Question) -> dict[str, Any]:
    most = min(MOST_CHARACTERS, max(1, question.params["maxTokens"]) * CHARACTERS_A_TOKEN)
    reply = {"type": "string", "title": "Reply", "minLength": 1, "maxLength": most}
    return {"type": "object", "properties": {"reply": reply}, "required": ["reply"]}


def _answer(kind: Kind, ticket: TicketView) -> Answer:
    """What the upstream is told: the answer, or in its protocol's words that there is none."""
    if ticket.state is State.SUCCEEDED and ticket.result is not None:
        typed = json.loads(ticket.result)
        return Answer(result=_message(typed["reply"]) if kind is Kind.SAMPLING else _form(typed))
    rejected = ticket.state is State.REJECTED
    if kind is Kind.SAMPLING:
        return refusal(REJECTED if rejected else NOT_IN_TIME, code=FAILED_CODE)
    return Answer(result={"action": "decline" if rejected else "cancel"})


def _form(typed: dict[str, Any]) -> dict[str, Any]:
    return {"action": "accept", "content": typed}


def _message(text: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": {"type": "text", "text": text.replace("\r\n", "\n")},
        "model": A_PERSON,
        "stopReason": "endTurn",
    }
