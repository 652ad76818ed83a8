"""Whose list a ticket stands in: handed to somebody else, or put away for a while.

Neither changes the ticket: who may vote, and until when, stays as it was.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.models.clock import DatabaseNow


class Handoff(models.Model):
    """One reviewer passed a ticket to another, or to a group that is asked. Never changed.

    Of all that concern a person the newest counts.
    """

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(
        "approvals.Ticket", on_delete=models.PROTECT, related_name="handoffs"
    )
    giver = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("approvals.User", on_delete=models.PROTECT, related_name="+")
    to_person = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    to_group = models.ForeignKey(
        "approvals.ReviewerGroup", null=True, on_delete=models.PROTECT, related_name="+"
    )
    words = models.ForeignKey(
        "approvals.Payload", null=True, on_delete=models.PROTECT, related_name="+"
    )
    nonce = models.CharField(max_length=64)  # makes a double POST harmless
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ticket", "user", "nonce"], name="handoff_once"),
            models.CheckConstraint(
                condition=Q(to_person__isnull=False, to_group__isnull=True)
                | Q(to_person__isnull=True, to_group__isnull=False),
                name="handoff_to_one_side",
            ),
        ]

    def __str__(self) -> str:
        return f"ticket {self.ticket_id} handed on by {self.giver_id}"


class Snooze(models.Model):
    """A ticket that one person put away until a time; nobody else notices.

    A new revision wakes it, since what was put away was another call.
    """

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.CASCADE, related_name="snoozes")
    person = models.ForeignKey("approvals.Person", on_delete=models.CASCADE, related_name="snoozes")
    revision = models.PositiveIntegerField()
    until = models.DateTimeField()
    noticed = models.BooleanField(default=False)  # that its time was over

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["person", "ticket"], name="snooze_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["until"], condition=Q(noticed=False), name="snooze_to_notice")
        ]

    def __str__(self) -> str:
        return f"ticket {self.ticket_id} put away until {self.until:%H:%M}"
