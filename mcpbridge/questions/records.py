"""The rows of questions and answers. Synchronous.

A question is on record before it is put to anybody, an answer before it leaves: each in a
transaction that reads the gate, so that nothing is handed on after the kill switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from mcpbridge import approvals_gateway as ledger
from mcpbridge.models import QuestionAnswer, QuestionRecord, Upstream
from mcpbridge.upstream.questions import Answer, Mode, Question

REASON_CHARACTERS = 200


class QuestionRefused(Exception):
    """The question may not be put to anybody now, or its answer may not leave."""


class EverythingStopped(QuestionRefused):
    """The kill switch is on."""

    def __init__(self) -> None:
        super().__init__("this gateway is stopped")


class UpstreamChanged(QuestionRefused):
    """The upstream is not what it was when the call was judged."""

    def __init__(self) -> None:
        super().__init__("the configuration under which this call began is no longer in force")


class TooManyQuestions(QuestionRefused):
    """The endpoint's limit for a minute is reached."""

    def __init__(self, per_minute: int) -> None:
        super().__init__(f"no more than {per_minute} of these are answered in a minute; ask later")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behalf:
    """The call on whose behalf a question is asked: an allowed one, or a ticket's."""

    upstream_id: UUID
    upstream_digest: bytes
    agent_id: UUID
    person_id: UUID
    call_id: UUID | None = None
    ticket_uid: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer and what its giver says of it."""

    answer: Answer
    model: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


@transaction.atomic(durable=True)
def open_question(
    behalf: Behalf,
    question: Question,
    mode: Mode,
    *,
    model: str = "",
    per_minute: int | None = None,
) -> UUID:
    """Record a question before it is put to anybody; its id. Raises QuestionRefused.

    With `per_minute`, no more of this mode are opened for the upstream, in all processes together.
    """
    _check_authority(behalf, lock=per_minute is not None)
    if per_minute is not None:
        lately = QuestionRecord.objects.filter(
            upstream_id=behalf.upstream_id,
            mode=mode.value,
            asked_at__gt=Now() - timedelta(minutes=1),
        )
        if lately.count() >= per_minute:
            raise TooManyQuestions(per_minute)
    payload_id, commitment = ledger.seal("question", question.spelled())
    return QuestionRecord.objects.create(
        upstream_id=behalf.upstream_id,
        agent_id=behalf.agent_id,
        person_id=behalf.person_id,
        call_id=behalf.call_id,
        ticket_uid=behalf.ticket_uid,
        kind=question.kind.value,
        mode=mode.value,
        model=model,
        question_id=payload_id,
        question_commitment=commitment,
    ).pk


@transaction.atomic(durable=True)
def close_question(behalf: Behalf, question_id: UUID, given: Given, *, milliseconds: int) -> None:
    """Record an answer before it leaves. Raises QuestionRefused: then it must not leave."""
    is_answered = given.answer.result is not None
    if is_answered:
        _check_authority(behalf, lock=False)
    payload_id, commitment = ledger.seal("answer", given.answer.spelled())
    QuestionAnswer.objects.create(
        question_id=question_id,
        status="answered" if is_answered else "refused",
        reason="" if is_answered else given.answer.why[:REASON_CHARACTERS],
        model=given.model[:REASON_CHARACTERS],
        prompt_tokens=given.prompt_tokens,
        answer_tokens=given.answer_tokens,
        milliseconds=milliseconds,
        answer_id=payload_id,
        answer_commitment=commitment,
    )


def _check_authority(behalf: Behalf, *, lock: bool) -> None:
    if ledger.gate_for_share().killed:
        raise EverythingStopped
    rows = Upstream.objects.filter(pk=behalf.upstream_id, enabled=True)
    if lock:
        rows = rows.select_for_update(no_key=True)
    found = rows.annotate(digest=F("config_digest")).values_list("digest", flat=True).first()
    if found is None or bytes(found) != behalf.upstream_digest:
        raise UpstreamChanged
