"""Edits: which arguments of a ticket a person replaced, from what to what. Never changed."""

from typing import ClassVar

from django.db import models
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class Edit(models.Model):
    """One act of one person that made a new revision of a ticket.

    `nonce_before` and `obligations_before` keep the digest of the revision before computable, so
    that the votes on it can still be checked.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="edits")
    revision = models.PositiveIntegerField()  # the one that this edit made: 2, 3, …
    person = models.ForeignKey("approvals.Person", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("approvals.User", on_delete=models.PROTECT, related_name="+")
    arguments_before = models.ForeignKey(
        "approvals.Payload", on_delete=models.PROTECT, related_name="+"
    )
    arguments = models.ForeignKey("approvals.Payload", on_delete=models.PROTECT, related_name="+")
    digest_before = models.BinaryField(max_length=32)
    nonce_before = models.BinaryField(max_length=32)
    obligations_before = models.JSONField()
    reason = models.ForeignKey(
        "approvals.Payload", null=True, on_delete=models.PROTECT, related_name="+"
    )
    nonce = models.CharField(max_length=64)  # makes a double POST harmless
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ticket", "revision"], name="edit_one_per_revision"),
            models.UniqueConstraint(fields=["ticket", "user", "nonce"], name="edit_once"),
        ]

    def __str__(self) -> str:
        return f"edit of ticket {self.ticket_id} to revision {self.revision}"
