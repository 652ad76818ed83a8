"""Decisions: facts appended by people. The resolution is a pure function over them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class Decision(models.Model):
    """One act of one person on one revision of a ticket. Never updated, never deleted.

    Per person the newest row counts; `withdraw` takes the earlier vote back.
    """

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        WITHDRAW = "withdraw"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ticket = models.ForeignKey(
        "approvals.Ticket", on_delete=models.PROTECT, related_name="decisions"
    )
    revision = models.PositiveIntegerField()
    person = models.ForeignKey("approvals.Person", on_delete=models.PROTECT)
    user = models.ForeignKey("approvals.User", on_delete=models.PROTECT)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    seen_digest = models.BinaryField(max_length=32)
    reason = models.ForeignKey(
        "approvals.Payload", null=True, on_delete=models.PROTECT, related_name="+"
    )
    nonce = models.CharField(max_length=64)  # makes a double POST harmless
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ticket", "user", "nonce"], name="decision_once"),
            models.CheckConstraint(
                condition=Q(verdict__in=["approve", "reject", "withdraw"]),
                name="decision_verdict_known",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["person", "-created_at"], name="decision_by_person"),
            models.Index(fields=["person", "-ticket"], name="decision_person_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} on ticket {self.ticket_id}"


class TypedAnswer(models.Model):
    """What a person typed when approving a ticket that asks for an answer. Never changed."""

    decision = models.OneToOneField(
        Decision, primary_key=True, on_delete=models.PROTECT, related_name="answer"
    )
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="+")
    payload = models.ForeignKey("approvals.Payload", on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"answer of decision {self.decision_id}"
