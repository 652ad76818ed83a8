"""Terms that approvals agree to, and canaries: tickets that the database itself never lets run."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q
from django.db.models.deletion import PROTECT

import approvals.models.clock
from approvals.migrations import _triggers as guard

TICKET = "approvals_ticket"
CANARY = "approvals_canary"
TRIGGERS = [
    *guard.immutable("approvals_agreedterms"),
    *guard.immutable(CANARY),
    guard.Trigger(
        "ticket_canary_never_runs",
        TICKET,
        "UPDATE",
        "ticket canary never runs",
        "NEW.state NOT IN ('pending', 'rejected', 'expired', 'cancelled') "
        "AND NEW.state <> OLD.state "
        f"AND EXISTS (SELECT 1 FROM {CANARY} c WHERE c.ticket_id = NEW.id)",
    ),
    guard.Trigger(
        "canary_marks_what_is_pending",
        CANARY,
        "INSERT",
        "canary marks what is pending",
        f"NOT EXISTS (SELECT 1 FROM {TICKET} t WHERE t.id = NEW.ticket_id "
        "AND t.state = 'pending' AND t.version = 1)",
    ),
]


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers."""
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    guard.remove(editor, TRIGGERS)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0005_being_told")]
    operations = [
        migrations.AlterField(
            model_name="ticket",
            name="cancel_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("withdrawn", "withdrawn"),
                    ("agent_gone", "agent gone"),
                    ("owner", "owner"),
                    ("operator", "operator"),
                    ("kill_switch", "kill switch"),
                    ("approval_revoked", "approval revoked"),
                    ("grant_revoked", "grant revoked"),
                    ("token_revoked", "token revoked"),
                    ("drift", "drift"),
                    ("canary", "canary"),
                    ("policy_denies", "policy denies"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="AgreedTerms",
            fields=[
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=PROTECT,
                        primary_key=True,
                        related_name="terms",
                        serialize=False,
                        to="approvals.decision",
                    ),
                ),
                ("session_only", models.BooleanField()),
                ("free", models.JSONField()),
                ("max_uses", models.PositiveIntegerField()),
                ("seconds", models.PositiveIntegerField()),
                (
                    "ticket",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="approvals.ticket"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Canary",
            fields=[
                (
                    "ticket",
                    models.OneToOneField(
                        on_delete=PROTECT,
                        primary_key=True,
                        related_name="canary",
                        serialize=False,
                        to="approvals.ticket",
                    ),
                ),
                ("trap", models.CharField(max_length=32)),
                ("right", models.CharField(max_length=8)),
                ("explanation", models.CharField(max_length=500)),
                (
                    "seeded_by",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="approvals.person"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(right__in=["approve", "reject"]), name="canary_right_known"
                    )
                ],
            },
        ),
        migrations.RunPython(install, remove),
    ]
