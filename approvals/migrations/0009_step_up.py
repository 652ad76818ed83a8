"""Step-up: questions to passkeys, the proofs that votes rest on, and codes that were wrong."""

from __future__ import annotations

import django.db.models.deletion
import uuid6
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import approvals.models.clock
from approvals.migrations import _triggers as guard

TRIGGERS = [
    *guard.immutable("approvals_stepupproof"),
    guard.Trigger(
        "challenge_is_only_used",
        "approvals_stepupchallenge",
        "UPDATE",
        "challenge is only used",
        guard.differ(
            ("id", "user_id", "ticket_id", "statement", "challenge", "created_at", "expires_at")
        )
        + " OR OLD.used_at IS NOT NULL OR NEW.used_at IS NULL",
    ),
]


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers."""
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    guard.remove(editor, TRIGGERS)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0008_indexes_of_lists")]
    operations = [
        migrations.CreateModel(
            name="StepUpChallenge",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid6.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("statement", models.BinaryField(max_length=1024)),
                ("challenge", models.BinaryField(max_length=32, unique=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.ticket",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "expires_at"], name="challenge_by_user")],
            },
        ),
        migrations.CreateModel(
            name="StepUpProof",
            fields=[
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="proof",
                        serialize=False,
                        to="approvals.decision",
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[("passkey", "Passkey"), ("totp", "Totp")], max_length=8
                    ),
                ),
                ("statement", models.BinaryField(max_length=1024)),
                ("challenge", models.BinaryField(max_length=32, unique=True)),
                ("totp_counter", models.BigIntegerField(null=True)),
                ("credential_id", models.BinaryField(default=b"", max_length=1023)),
                ("credential_name", models.CharField(blank=True, max_length=100)),
                ("public_key", models.BinaryField(default=b"", max_length=2048)),
                ("authenticator_data", models.BinaryField(default=b"", max_length=4096)),
                ("client_data", models.BinaryField(default=b"", max_length=8192)),
                ("signature", models.BinaryField(default=b"", max_length=1024)),
                ("origin", models.CharField(blank=True, max_length=300)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("method", "passkey"), ("totp_counter__isnull", True)),
                            models.Q(("method", "totp"), ("totp_counter__isnull", False)),
                            _connector="OR",
                        ),
                        name="proof_method_known",
                    ),
                    models.UniqueConstraint(
                        fields=("user", "totp_counter"), name="proof_code_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WrongCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "at"], name="wrong_code_by_user")],
            },
        ),
        migrations.RunPython(install, remove),
    ]
