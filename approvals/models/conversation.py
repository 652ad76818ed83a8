"""What people say about a ticket: comments, questions to the agent's owner, and their answers."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class Remark(models.Model):
    """One person's words about a ticket. Never updated, never deleted; its words are purgeable."""

    class Kind(models.TextChoices):
        COMMENT = "comment"
        QUESTION = "question"  # to `asked`, who owns the agent
        ANSWER = "answer"  # to the question `answers`

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="remarks")
    revision = models.PositiveIntegerField()  # the one its author saw
    kind = models.CharField(max_length=8, choices=Kind.choices)
    person = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("approvals.User", on_delete=models.PROTECT, related_name="+")
    asked = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="questions_asked"
    )
    answers = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="answered_by"
    )
    words = models.ForeignKey("approvals.Payload", on_delete=models.PROTECT, related_name="+")
    nonce = models.CharField(max_length=64)  # makes a double POST harmless
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ticket", "user", "nonce"], name="remark_once"),
            models.CheckConstraint(
                condition=Q(kind="comment", asked__isnull=True, answers__isnull=True)
                | Q(kind="question", asked__isnull=False, answers__isnull=True)
                | Q(kind="answer", asked__isnull=True, answers__isnull=False),
                name="remark_kind_has_its_parts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on ticket {self.ticket_id}"
