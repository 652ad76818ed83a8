"""Published policies (immutable) and the gate row that every act of authority reads."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from approvals.models.clock import DatabaseNow


class PolicyVersion(models.Model):
    """One published policy document, whole and immutable."""

    id = models.BigAutoField(primary_key=True)  # the version number that people see
    document = models.JSONField()
    digest = models.BinaryField(max_length=32)
    note = models.CharField(max_length=200, blank=True)
    published_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    published_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    def __str__(self) -> str:
        return f"policy {self.pk}"


class Gate(models.Model):
    """The one row that says whether calls may run at all, and which authority is current.

    `epoch` grows whenever kill, revocation, policy, pin or upstream changes; whoever judged
    under an older epoch judges again.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    killed = models.BooleanField(default=False)
    killed_at = models.DateTimeField(null=True)
    killed_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    epoch = models.PositiveBigIntegerField(default=1)
    policy = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(id=1), name="gate_is_one_row")
        ]

    def __str__(self) -> str:
        return f"gate at epoch {self.epoch}{', killed' if self.killed else ''}"
