"""Who answers one call's questions, and what is on record of it."""

from __future__ import annotations

from uuid import uuid4

from mcpbridge.models import QuestionAnswer, Upstream
from mcpbridge.offload import in_database
from mcpbridge.questions.answering import Answerer, Behalf
from mcpbridge.server.methods.forwarding import only_during_calls
from mcpbridge.upstream.questions import Kind, Mode, Question, QuestionPolicy
from tests.support.bridge import a_bridge
from tests.support.databases import RealDatabase

ASKED = Question(
    kind=Kind.ELICITATION,
    method="elicitation/create",
    params={"message": "Who?", "requestedSchema": {"type": "object"}},
)


async def test_an_agent_that_cannot_come_back_is_not_asked_and_the_upstream_is_told_why(
    real_db: RealDatabase,
) -> None:
    """A prompt or a resource keeps nothing open until its agent has answered."""
    bridge = await in_database(a_bridge, "http://127.0.0.1:9/mcp")
    upstream = await in_database(Upstream.objects.get)
    answerer = Answerer(
        QuestionPolicy(elicitation=Mode.AGENT),
        Behalf(
            upstream_id=upstream.pk,
            upstream_digest=bytes(upstream.config_digest),
            agent_id=bridge.agent.pk,
            person_id=bridge.agent.owner_id,
            call_id=uuid4(),
        ),
        declared={"elicitation": {}},
        ask_agent=only_during_calls,
    )

    answer = await answerer.answer(ASKED)

    assert answer.result is None
    assert "during calls of tools only" in answer.why
    record = await in_database(QuestionAnswer.objects.get)
    assert (record.status, record.reason) == ("refused", answer.why)
