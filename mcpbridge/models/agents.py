"""Agents and their service tokens. Teams and people belong to the ledger; rows refer to them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid6 import uuid7


class Agent(models.Model):
    """A program that calls tools, with a human owner who answers for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    team = models.ForeignKey("approvals.Team", on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    enabled = models.BooleanField(default=True)
    hold_seconds = models.PositiveIntegerField(null=True, blank=True)  # None: by client
    grace_seconds = models.PositiveIntegerField(default=30)
    max_open_tickets = models.PositiveIntegerField(default=20)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class AgentToken(models.Model):
    """A bearer token: 256 random bits, of which only the SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="tokens")
    label = models.CharField(max_length=80, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=8)  # the token's last four characters
    audience = models.CharField(max_length=200, blank=True)  # our MCP URL; empty: this installation
    scopes = models.JSONField(default=list)
    issued_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["agent"],
                condition=Q(revoked_at__isnull=True),
                name="token_live_by_agent",
            )
        ]

    def __str__(self) -> str:
        return f"token …{self.hint} of agent {self.agent_id}"
