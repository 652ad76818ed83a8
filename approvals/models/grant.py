"""Grants: standing permissions made from a ticket, narrow, counted and revocable."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from uuid6 import uuid7

from approvals.domain.pins import Terms
from approvals.models.clock import DatabaseNow


class Grant(models.Model):
    """A permission for one agent and one tool with pinned arguments, until a deadline.

    `pins` holds no argument: {"free": pointers of members that may be anything, "rest": the keyed
    digest of all that may not, "session": the session it is bound to, or nothing}.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey("approvals.Team", on_delete=models.PROTECT)
    made_from = models.ForeignKey(
        "approvals.Ticket", on_delete=models.PROTECT, related_name="grants_made"
    )
    agent_id = models.UUIDField()
    upstream_id = models.UUIDField()
    tool_name = models.CharField(max_length=256)
    tool_digest = models.BinaryField(max_length=32)
    upstream_digest = models.BinaryField(max_length=32)
    pins = models.JSONField()
    obligations = models.JSONField()  # what the ticket needed, and therefore this grant
    max_uses = models.PositiveIntegerField()
    uses = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    granted_by = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(uses__lte=F("max_uses")), name="grant_not_overused")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["agent_id", "tool_name"],
                condition=Q(revoked_at__isnull=True),
                name="grant_live",
            )
        ]

    def __str__(self) -> str:
        return f"grant {self.pk} ({self.uses} of {self.max_uses} uses)"


class AgreedTerms(models.Model):
    """The terms of a standing permission that somebody's approval carries. Never changed.

    The permission comes about when everybody whose approval the ticket needs agreed to the same.
    """

    decision = models.OneToOneField(
        "approvals.Decision", primary_key=True, on_delete=models.PROTECT, related_name="terms"
    )
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="+")
    session_only = models.BooleanField()
    free = models.JSONField()  # JSON pointers of the members that may be anything
    max_uses = models.PositiveIntegerField()
    seconds = models.PositiveIntegerField()  # from the approval that completes the quorum

    def __str__(self) -> str:
        return f"terms that decision {self.decision_id} agreed to"

    def as_terms(self) -> Terms:
        """The terms as they are compared and signed."""
        return Terms(
            session_only=self.session_only,
            free=tuple(self.free),
            max_uses=self.max_uses,
            seconds=self.seconds,
        )
