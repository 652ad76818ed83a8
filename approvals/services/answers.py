"""Tickets that ask for an answer: what a person typed when approving, and who reads it.

A ticket asks when its definition carries an `answerSchema`. The answer is a sealed payload beside
the decision it came with; whoever executes the ticket hands it over as the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from approvals.audit.sealing import unseal
from approvals.domain.canonical import JSON, NotCanonical, canonical_bytes
from approvals.domain.errors import AnswerMissing, AnswerUnfit
from approvals.domain.form_answers import AnswerInvalid, check_answer
from approvals.domain.forms import Field, FormUnsupported, fields_of
from approvals.domain.states import State
from approvals.models import Payload, Ticket, TypedAnswer


def can_be_asked(schema: object) -> bool:
    """Whether people can be shown a form for this schema."""
    try:
        fields_of(schema)
    except FormUnsupported:
        return False
    return True


def answer_bytes(fields: tuple[Field, ...], typed: Mapping[str, JSON] | None) -> bytes:
    """What is sealed of an answer. Raises AnswerMissing and AnswerUnfit."""
    if typed is None:
        raise AnswerMissing
    try:
        check_answer(fields, typed)
        return canonical_bytes(dict(typed))
    except AnswerInvalid as wrong:
        raise AnswerUnfit(errors=wrong.errors) from None
    except NotCanonical as wrong:
        raise AnswerUnfit(str(wrong), errors={}) from None


def answer_of(uid: UUID) -> bytes | None:
    """The answer with which the ticket was approved, as canonical JSON; None where there is none.

    Of several people's answers, the one counts that completed the quorum.
    """
    found = (
        TypedAnswer.objects.select_related("payload", "decision")
        .filter(ticket__uid=uid)
        .exclude(ticket__state__in=[State.PENDING, State.REJECTED])
        .order_by("-decision__created_at", "-decision_id")
        .first()
    )
    if found is None or found.decision.revision != Ticket.objects.get(uid=uid).revision:
        return None
    payload: Payload = found.payload
    return unseal(payload)
