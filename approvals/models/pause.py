"""Agents that people paused: none of their calls becomes a ticket until somebody resumes them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class AgentPause(models.Model):
    """A person paused an agent. Never changed, only resumed, once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent_id = models.UUIDField()
    agent_name = models.CharField(max_length=120)
    team = models.ForeignKey("approvals.Team", on_delete=models.PROTECT, related_name="+")
    paused_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    paused_by = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    resumed_at = models.DateTimeField(null=True)
    resumed_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["agent_id"],
                condition=Q(resumed_at__isnull=True),
                name="agent_paused_once",
            )
        ]

    def __str__(self) -> str:
        return f"pause of agent {self.agent_name}"
