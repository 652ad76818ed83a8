"""Canaries: tickets that were seeded to see whether reviewers notice. Never executable."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.models.clock import DatabaseNow


class Canary(models.Model):
    """What marks a ticket as a test, and what would be right to do about it. Never changed.

    The database refuses to let such a ticket be approved, claimed or sent.
    """

    ticket = models.OneToOneField(
        "approvals.Ticket", primary_key=True, on_delete=models.PROTECT, related_name="canary"
    )
    trap = models.CharField(max_length=32)  # the ready-made trap, or "past" for a past call
    right = models.CharField(max_length=8)  # the vote that would be right
    explanation = models.CharField(max_length=500)  # why, in the words of who seeded it
    seeded_by = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(right__in=["approve", "reject"]), name="canary_right_known"
            )
        ]

    def __str__(self) -> str:
        return f"canary {self.ticket_id} ({self.trap})"
