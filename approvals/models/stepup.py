"""Step-up: what a person was asked to sign, what they signed, and codes that were wrong."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from approvals.models.clock import DatabaseNow


class StepUpChallenge(models.Model):
    """One question to one account's passkeys. Used once, within minutes, or never.

    `challenge` is the digest of `statement`, which says what is signed. Rows whose time is over
    are deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("approvals.User", on_delete=models.CASCADE)
    ticket = models.ForeignKey("approvals.Ticket", on_delete=models.PROTECT, related_name="+")
    statement = models.BinaryField(max_length=1024)
    challenge = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "expires_at"], name="challenge_by_user")
        ]

    def __str__(self) -> str:
        return f"challenge for ticket {self.ticket_id}"


class StepUpProof(models.Model):
    """How the person behind one approval proved to be present. Never updated, never deleted.

    A passkey's row holds all that is needed to check its signature again without any other row
    but the ticket's. A code from an authenticator app is on record, and signs nothing.
    """

    class Method(models.TextChoices):
        PASSKEY = "passkey"
        TOTP = "totp"

    decision = models.OneToOneField(
        "approvals.Decision", primary_key=True, on_delete=models.PROTECT, related_name="proof"
    )
    user = models.ForeignKey("approvals.User", on_delete=models.PROTECT, related_name="+")
    method = models.CharField(max_length=8, choices=Method.choices)
    statement = models.BinaryField(max_length=1024)
    challenge = models.BinaryField(max_length=32, unique=True)
    totp_counter = models.BigIntegerField(null=True)  # of 30 s steps: a code counts once
    credential_id = models.BinaryField(max_length=1023, default=b"")
    credential_name = models.CharField(max_length=100, blank=True)
    public_key = models.BinaryField(max_length=2048, default=b"")  # COSE, as registered
    authenticator_data = models.BinaryField(max_length=4096, default=b"")
    client_data = models.BinaryField(max_length=8192, default=b"")
    signature = models.BinaryField(max_length=1024, default=b"")
    origin = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(method="passkey", totp_counter__isnull=True)
                | Q(method="totp", totp_counter__isnull=False),
                name="proof_method_known",
            ),
            models.UniqueConstraint(fields=["user", "totp_counter"], name="proof_code_once"),
        ]

    def __str__(self) -> str:
        return f"{self.method} proof of decision {self.decision_id}"


class WrongCode(models.Model):
    """A code from an authenticator app that was wrong; several in a row make a person wait."""

    user = models.ForeignKey("approvals.User", on_delete=models.CASCADE)
    at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "at"], name="wrong_code_by_user")
        ]

    def __str__(self) -> str:
        return f"wrong code of {self.user_id}"
