"""The admin's page of what upstreams asked back during calls, and what came of it. Reads only.

What was said is sealed and stays so; the page tells who asked whom, when, and how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods

from mcpbridge.models import QuestionAnswer, QuestionRecord
from mcpbridge.upstream.questions import Kind, Mode
from mcpbridge.web.access import admin_page

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ON_A_PAGE: Final = 50
KINDS: Final[Mapping[str, StrPromise]] = {
    Kind.SAMPLING: gettext_lazy("a model's words"),
    Kind.ELICITATION: gettext_lazy("a form"),
    Kind.ROOTS: gettext_lazy("folders"),
}
ASKED: Final[Mapping[str, StrPromise]] = {
    Mode.AGENT: gettext_lazy("the agent"),
    Mode.PERSON: gettext_lazy("reviewers"),
    Mode.ENDPOINT: gettext_lazy("your model"),
    Mode.FIXED: gettext_lazy("a fixed list"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question. `end` is answered, refused or open."""

    at: datetime
    upstream: str
    agent: str
    kind: str
    asked: str
    end: str
    why: str
    model: str
    tokens: str
    took: str


@require_http_methods(["GET", "HEAD"])
@admin_page
def questions(request: HttpRequest) -> HttpResponse:
    """The newest questions, or those before `before`."""
    records = QuestionRecord.objects.select_related("upstream", "agent", "answer").order_by("-pk")
    before = _key(request.GET.get("before", ""))
    if before is not None:
        records = records.filter(pk__lt=before)
    found = list(records[: ON_A_PAGE + 1])
    page = reverse("manage:questions")
    context = {
        "rows": [_row(record) for record in found[:ON_A_PAGE]],
        "older": f"{page}?before={found[ON_A_PAGE - 1].pk}" if len(found) > ON_A_PAGE else "",
        "newest": page if before is not None else "",
    }
    return render(request, "manage/questions.html", context)


def _row(record: QuestionRecord) -> Row:
    answer: QuestionAnswer | None = getattr(record, "answer", None)
    model = (answer.model if answer is not None else "") or record.model
    return Row(
        at=record.asked_at,
        upstream=record.upstream.name,
        agent=record.agent.name,
        kind=str(KINDS.get(record.kind, record.kind)),
        asked=str(ASKED.get(record.mode, record.mode)),
        end="open" if answer is None else answer.status,
        why=answer.reason if answer is not None else "",
        model=model,
        tokens=_tokens(answer),
        took=_took(answer),
    )


def _tokens(answer: QuestionAnswer | None) -> str:
    if answer is None or answer.prompt_tokens is None or answer.answer_tokens is None:
        return ""
    return gettext("{prompt} + {answer} tokens").format(
        prompt=answer.prompt_tokens, answer=answer.answer_tokens
    )


def _took(answer: QuestionAnswer | None) -> str:
    if answer is None or not answer.milliseconds:
        return ""
    return gettext("{seconds} s").format(seconds=f"{answer.milliseconds / 1000:.1f}")


def _key(given: str) -> UUID | None:
    """The place in the list from which to go on; anything else begins at the newest."""
    try:
        return UUID(given)
    except ValueError:
        return None
