"""The page of what upstreams asked during calls."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mcpbridge.models import Agent, QuestionRecord, Upstream
from mcpbridge.questions.records import Behalf, Given, close_question, open_question
from mcpbridge.upstream.questions import Answer, Kind, Mode, Question, refusal
from mcpbridge.web import questions
from tests.mcpbridge.web.conftest import SignIn
from tests.support.builders import Cast
from tests.support.hostile import HOSTILE, judged, packed, unseen
from tests.support.pages import text_of

SAMPLING = Question(
    kind=Kind.SAMPLING,
    method="sampling/createMessage",
    params={"messages": [{"role": "user", "content": "a secret"}], "maxTokens": 5},
)


@pytest.fixture
def behalf(files: Upstream, robo: Agent) -> Behalf:
    return Behalf(
        upstream_id=files.pk,
        upstream_digest=bytes(files.config_digest),
        agent_id=robo.pk,
        person_id=robo.owner_id,
        call_id=uuid4(),
    )


def asked(behalf: Behalf, given: Given | None = None, mode: Mode = Mode.ENDPOINT) -> None:
    inner = open_question.__wrapped__  # type: ignore[attr-defined]  # within the test's transaction
    record = inner(behalf, SAMPLING, mode, model="llama-3")
    if given is not None:
        close_question.__wrapped__(behalf, record, given, milliseconds=1500)  # type: ignore[attr-defined]


def test_each_question_says_who_asked_whom_and_what_came_of_it(admin: Client, behalf: Behalf):
    answer = {"role": "assistant", "model": "x", "content": {"type": "text", "text": "hush"}}
    asked(behalf)
    asked(
        behalf,
        Given(
            answer=Answer(result=answer), model="llama-3\u202e", prompt_tokens=3, answer_tokens=4
        ),
    )
    asked(behalf, Given(answer=refusal("nobody <b>there</b>")), mode=Mode.PERSON)

    page = admin.get("/manage/questions/")

    text = text_of(page.content)
    for words in ("files", "robo", "a model's words", "your model", "reviewers"):
        assert words in text
    for words in ("Not answered", "Answered", "1.5 s", "3 + 4 tokens"):
        assert words in text
    assert "Refused nobody <b>there</b>" in text
    assert "\u202e" not in page.content.decode()
    assert "secret" not in text
    assert "hush" not in text


def test_what_models_and_upstreams_said_to_fool_an_admin_stands_isolated(
    admin: Client, behalf: Behalf
):
    for text in packed(200):
        asked(behalf, Given(answer=refusal(text), model=text))

    judge = judged(admin.get("/manage/questions/").content)

    assert not judge.faults, "\n".join(judge.faults[:10])
    assert not unseen(judge.shown, (each for each in HOSTILE if each.fits_a_column))


def test_pages_go_on_where_the_last_one_ended_and_cost_the_same(
    admin: Client, behalf: Behalf, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(questions, "ON_A_PAGE", 2)
    for _ in range(5):
        asked(behalf)
    keys = list(QuestionRecord.objects.order_by("-pk").values_list("pk", flat=True))
    seen, url, costs = [], "/manage/questions/", set()
    while url:
        with CaptureQueriesContext(connection) as queries:
            answer = admin.get(url)
        costs.add(len(queries))
        seen.append(len(answer.context["rows"]))
        url = answer.context["older"]
    assert seen == [2, 2, 1]
    assert len(costs) == 1
    assert admin.get(f"/manage/questions/?before={keys[3]}").context["newest"]


@pytest.mark.parametrize("before", ["", "x", "1e999", "'; --"])
def test_a_place_that_is_none_begins_at_the_newest(admin: Client, behalf: Behalf, before: str):
    asked(behalf)

    assert len(admin.get("/manage/questions/", {"before": before}).context["rows"]) == 1


def test_nobody_else_reads_what_upstreams_asked(cast: Cast, signed_in: SignIn):
    assert signed_in(cast.bob).get("/manage/questions/").status_code == 403
    assert signed_in(None).get("/manage/questions/").status_code == 302
