"""Upstream MCP servers, the pins of their tools, and the lease of a stdio server's host."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy
from uuid6 import uuid7

from mcpbridge.models.ordered import OrderedJSONField


class Upstream(models.Model):
    """One MCP server behind the gateway. Secrets are sealed; `config_digest` names the rest."""

    class Transport(models.TextChoices):
        HTTP = "http", "Streamable HTTP"
        SSE = "sse", "HTTP with SSE (2024-11-05)"
        STDIO = "stdio", "stdio"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=40, unique=True)
    transport = models.CharField(max_length=8, choices=Transport.choices)
    enabled = models.BooleanField(default=True)
    url = models.URLField(max_length=500, blank=True)
    allow_private_addresses = models.BooleanField(default=False)
    command = models.JSONField(default=list)  # argv
    environment = models.JSONField(default=dict)  # plain variables; secrets are sealed below
    cwd = models.CharField(max_length=500, blank=True)
    sandbox = models.JSONField(default=dict)  # SandboxProfile fields that differ from its defaults
    per_agent = models.BooleanField(default=False)
    sealed_secrets = models.BinaryField(
        null=True
    )  # AES-256-GCM: {"headers": {}, "environment": {}}
    credential_id = models.UUIDField(null=True)  # new at every change of the secrets
    timeouts = models.JSONField(default=dict)  # Timeouts fields that differ from their defaults
    caps = models.JSONField(default=dict)
    questions = models.JSONField(default=dict)  # who answers which kind; absent: refused
    trust_annotations = models.BooleanField(default=False)
    pin_on_first_contact = models.BooleanField(default=False)  # first list only; never on a change
    teams = models.ManyToManyField("approvals.Team", related_name="+")  # whose agents may use it
    config_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(null=True)  # last tool list that was read
    last_error = models.CharField(max_length=300, blank=True)
    failing_since = models.DateTimeField(null=True)  # first failure after the last tool list
    next_try_at = models.DateTimeField(null=True)  # end of the backoff, as last heard of

    def __str__(self) -> str:
        return self.name

    @property
    def not_tried_before(self) -> datetime | None:
        """When a failing upstream is tried again at the earliest; None once that has come."""
        ahead = self.next_try_at is not None and self.next_try_at > timezone.now()
        return self.next_try_at if ahead else None


class ToolPin(models.Model):
    """What an admin has seen of a tool: only a pinned definition can be called."""

    class Status(models.TextChoices):
        PINNED = "pinned", gettext_lazy("in use")
        QUARANTINED = "quarantined", gettext_lazy("new or changed, not yet seen by an admin")
        GONE = "gone", gettext_lazy("no longer listed by the upstream")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="pins")
    name = models.CharField(max_length=256)
    status = models.CharField(max_length=12, choices=Status.choices)
    definition = OrderedJSONField(null=True)  # as pinned; None while never seen by an admin
    digest = models.BinaryField(max_length=32, null=True)
    offered = OrderedJSONField(null=True)  # what the upstream says now, when it differs
    offered_digest = models.BinaryField(max_length=32, null=True)
    pinned_by = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    pinned_at = models.DateTimeField(null=True)
    idempotent = models.BooleanField(default=False)  # an admin's word, never the server's
    max_attempts = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["upstream", "name"], name="pin_once_per_tool"),
            models.CheckConstraint(
                condition=~Q(status="pinned") | Q(definition__isnull=False, digest__isnull=False),
                name="pinned_tool_has_definition",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class StdioLease(models.Model):
    """Which host process owns a stdio server (and each of its scopes) right now."""

    id = models.BigAutoField(primary_key=True)
    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="leases")
    scope = models.CharField(max_length=64)  # "shared", or an agent's id
    host = models.CharField(max_length=120)  # machine name, process id, random part
    fence = models.PositiveBigIntegerField(default=1)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=12, default="idle")  # idle, running, backoff, failed
    sandbox_label = models.CharField(max_length=20, blank=True)  # bubblewrap, landlock, unsandboxed
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["upstream", "scope"], name="lease_once_per_scope")
        ]

    def __str__(self) -> str:
        return f"lease of upstream {self.upstream_id} for {self.scope}"
