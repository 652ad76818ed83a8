"""Who is away, who stands in for them, and by which mandate a vote was cast."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class Absence(models.Model):
    """A person is away for a bounded time; `delegate` has their vote in `groups` meanwhile.

    Never changed, only ended early, once.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(
        "approvals.Person", on_delete=models.PROTECT, related_name="absences"
    )
    delegate = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="stands_in"
    )
    groups = models.ManyToManyField("approvals.ReviewerGroup", related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    ended_at = models.DateTimeField(null=True)  # ended early
    ended_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="absence_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=~Q(delegate=F("person")), name="absence_is_covered_by_another"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["person", "ends_at"],
                condition=Q(ended_at__isnull=True),
                name="absence_of_person",
            ),
            models.Index(
                fields=["delegate", "ends_at"],
                condition=Q(ended_at__isnull=True),
                name="absence_by_delegate",
            ),
        ]

    def __str__(self) -> str:
        return f"absence of {self.person_id}"


class VoteMandate(models.Model):
    """In which groups, and for whom, a vote counted when it was cast. Never changed.

    Written where that matters: where groups owe approvals of their own, or somebody stands in.
    """

    decision = models.OneToOneField(
        "approvals.Decision", primary_key=True, on_delete=models.PROTECT, related_name="mandate"
    )
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="+")
    mandates = models.JSONField()  # [[holder's key, group's slug or null for any], …]
    stands_in_for = models.ForeignKey(  # whose vote it was, where it was nobody's but theirs
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return f"mandate of decision {self.decision_id}"


class DueEscalation(models.Model):
    """A queue: when a pending ticket asks its second group. Only the ticket's own row decides."""

    ticket = models.OneToOneField(
        "approvals.Ticket", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"escalation of ticket {self.ticket_id}"
