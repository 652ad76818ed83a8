"""Verifications of the whole record that somebody asked for on its page, and what they found."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.models.clock import DatabaseNow


class Verification(models.Model):
    """One run; no part of the record that it verifies. At most one is not over.

    It begins once. A run that is over without a number of breaks was broken off.
    """

    id = models.BigAutoField(primary_key=True)
    asked_by = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    begun_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    over = models.BooleanField(default=False)
    breaks = models.PositiveBigIntegerField(null=True)
    first = models.JSONField(default=list)  # of the breaks, in words

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["over"], condition=Q(over=False), name="verification_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(over=True, ended_at__isnull=False)
                | Q(over=False, ended_at__isnull=True, breaks__isnull=True),
                name="verification_over_iff_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"verification {self.pk}"
