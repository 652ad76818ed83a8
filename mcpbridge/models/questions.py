"""Records of questions that upstreams asked during calls, and of what they were answered.

A question's row is committed before it is put to anybody and never changes; the answer is a row
of its own, committed before the answer leaves. The absence of one reads "not answered".
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid6 import uuid7

from mcpbridge.models.agents import Agent
from mcpbridge.models.upstreams import Upstream


class QuestionRecord(models.Model):
    """One question that was put to somebody. Never updated, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    upstream = models.ForeignKey(Upstream, on_delete=models.PROTECT, related_name="+")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    call_id = models.UUIDField(null=True)  # the CallRecord during which it was asked
    ticket_uid = models.UUIDField(null=True)  # or the ticket whose execution asked
    kind = models.CharField(max_length=12)  # sampling, elicitation, roots
    mode = models.CharField(max_length=12)  # who answers: agent, person, endpoint, fixed
    model = models.CharField(max_length=200, blank=True)  # what an endpoint was asked for
    question_id = models.UUIDField()  # the ledger's sealed payload
    question_commitment = models.BinaryField(max_length=32)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(call_id__isnull=False) | Q(ticket_uid__isnull=False),
                name="question_belongs_to_a_call",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["upstream", "-asked_at"], name="question_newest"),
        ]

    def __str__(self) -> str:
        return f"question {self.pk} ({self.kind}, {self.mode})"


class QuestionAnswer(models.Model):
    """What came of a question. Never updated, never deleted."""

    question = models.OneToOneField(
        QuestionRecord, primary_key=True, on_delete=models.PROTECT, related_name="answer"
    )
    status = models.CharField(
        max_length=8, choices=[("answered", "answered"), ("refused", "refused")]
    )
    reason = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)  # what the endpoint says it used
    prompt_tokens = models.PositiveIntegerField(null=True)
    answer_tokens = models.PositiveIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(default=0)
    answer_id = models.UUIDField(null=True)  # the ledger's sealed payload
    answer_commitment = models.BinaryField(max_length=32, null=True)
    answered_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"answer to question {self.question_id} ({self.status})"
