"""Records of calls that policy allowed or denied outright; states that clients handed back.

The start of a call is committed before the first byte leaves and never changes; the completion is a
row of its own, and its absence reads "completion not recorded".
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from uuid6 import uuid7

from mcpbridge.models.agents import Agent
from mcpbridge.models.upstreams import Upstream


class CallRecord(models.Model):
    """The start of an allowed call, or a denial. Never updated, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    token_id = models.UUIDField(null=True)
    upstream = models.ForeignKey(Upstream, on_delete=models.PROTECT, related_name="+")
    tool_name = models.CharField(max_length=256)
    tool_digest = models.BinaryField(max_length=32, null=True)
    verdict = models.CharField(
        max_length=8, choices=[("allow", "allowed"), ("deny", "denied by policy")]
    )
    rule = models.CharField(max_length=120, blank=True)
    policy_version = models.BigIntegerField(null=True)
    gate_epoch = models.PositiveBigIntegerField()
    arguments_id = models.UUIDField()  # the ledger's sealed payload
    arguments_commitment = models.BinaryField(max_length=32)
    trace_id = models.CharField(max_length=32, blank=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["agent", "-started_at"], name="call_agent_newest"),
            models.Index(fields=["-started_at"], name="call_newest"),
        ]

    def __str__(self) -> str:
        return f"call {self.pk} ({self.verdict})"


class CallCompletion(models.Model):
    """How an allowed call ended, as far as it was recorded. Never updated, never deleted."""

    call = models.OneToOneField(
        CallRecord,
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="completion",
    )
    status = models.CharField(
        max_length=8,
        choices=[
            ("ok", "result"),
            ("error", "error"),
            ("unsent", "not sent"),
            ("unknown", "unknown"),
        ],
    )
    reason = models.CharField(max_length=20, blank=True)
    result_bytes = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"completion of call {self.call_id} ({self.status})"


class RedeemedState(models.Model):
    """A `requestState` that was handed back: its id, so that nobody uses it a second time."""

    id = models.UUIDField(primary_key=True, editable=False)
    expires_at = models.DateTimeField(db_index=True)  # of the state; the row is deleted later

    def __str__(self) -> str:
        return f"redeemed state {self.pk}"
