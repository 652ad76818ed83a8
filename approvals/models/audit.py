"""The audit chain, its signed checkpoints, and the sealed payloads that it commits to."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from uuid6 import uuid7


class Payload(models.Model):
    """Sealed bytes (AES-256-GCM): arguments, results and free text, purgeable on their own.

    `commitment` is SHA-256 over `salt` and the plain bytes. Purging removes ciphertext, nonce
    and salt together, so that the commitment left behind cannot be guessed against. Every other
    column is authenticated by the cipher, or by the audit row that recorded the purge.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20)
    key_id = models.CharField(max_length=16)
    nonce = models.BinaryField(max_length=12, null=True)
    salt = models.BinaryField(max_length=32, null=True)
    ciphertext = models.BinaryField(null=True)
    commitment = models.BinaryField(max_length=32)
    size = models.PositiveBigIntegerField()  # plain bytes
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    purged_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"payload {self.pk} ({self.kind})"


class AuditEvent(models.Model):
    """One link of one subject's hash chain. Never updated, never deleted."""

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=80)  # "ticket:<uid>", "agent:<id>", "policy", "gate"…
    seq = models.PositiveIntegerField()  # 1, 2, 3… without a gap
    at = models.DateTimeField()  # database clock
    actor = models.CharField(max_length=120)  # "person:<id>", "agent:<id>", "system:sweeper"…
    action = models.CharField(max_length=40)  # an edge's name, or an administrative act
    source = models.CharField(max_length=16, blank=True)  # state before, tickets only
    target = models.CharField(max_length=16, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    detail = models.JSONField(default=dict)  # identifiers and hex digests, never free text
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["subject", "seq"], name="audit_seq_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["at"], name="audit_by_time")]

    def __str__(self) -> str:
        return f"{self.subject} #{self.seq} {self.action}"


class Checkpoint(models.Model):
    """A signed Merkle root over audit rows and call records. Never updated, never deleted."""

    id = models.BigIntegerField(primary_key=True)  # 1, 2, 3… without a gap
    at = models.DateTimeField()
    covers_until = models.DateTimeField()  # every row that began before this is covered
    size = models.PositiveIntegerField()
    root = models.BinaryField(max_length=32)
    previous = models.BinaryField(max_length=32)  # hash of the checkpoint before
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField(max_length=64)  # Ed25519

    def __str__(self) -> str:
        return f"checkpoint {self.pk} over {self.size} rows"


class CheckpointLeaf(models.Model):
    """Which rows a checkpoint covers, in leaf order. Never updated, never deleted."""

    id = models.BigIntegerField(primary_key=True)  # over all checkpoints, without a gap
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="leaves")
    position = models.PositiveIntegerField()
    source = models.CharField(max_length=16)  # "audit", or a registered source such as "call"
    row = models.CharField(max_length=40)  # the row's key in its source
    leaf = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "row"], name="leaf_row_once"),
            models.UniqueConstraint(fields=["checkpoint", "position"], name="leaf_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.row} in checkpoint {self.checkpoint_id}"
