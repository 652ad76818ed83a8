"""Edits of arguments, what people say about a ticket, and whose list it stands in."""

from __future__ import annotations

import approvals.models.clock
import django.db.models.deletion
import uuid6
from django.conf import settings
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from approvals.migrations import _triggers as guard


TRIGGERS = [
    trigger
    for table in ("approvals_edit", "approvals_remark", "approvals_handoff")
    for trigger in guard.immutable(table)
]


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers."""
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    guard.remove(editor, TRIGGERS)


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0006_agreed_terms_and_canaries"),
    ]

    operations = [
        migrations.CreateModel(
            name="Edit",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid6.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("revision", models.PositiveIntegerField()),
                ("digest_before", models.BinaryField(max_length=32)),
                ("nonce_before", models.BinaryField(max_length=32)),
                ("obligations_before", models.JSONField()),
                ("nonce", models.CharField(max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                (
                    "arguments",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.payload",
                    ),
                ),
                (
                    "arguments_before",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.payload",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.person",
                    ),
                ),
                (
                    "reason",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.payload",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="edits",
                        to="approvals.ticket",
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
                    models.UniqueConstraint(
                        fields=("ticket", "revision"), name="edit_one_per_revision"
                    ),
                    models.UniqueConstraint(fields=("ticket", "user", "nonce"), name="edit_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Handoff",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("nonce", models.CharField(max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                (
                    "giver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.person",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handoffs",
                        to="approvals.ticket",
                    ),
                ),
                (
                    "to_group",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.reviewergroup",
                    ),
                ),
                (
                    "to_person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.person",
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
                (
                    "words",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.payload",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("ticket", "user", "nonce"), name="handoff_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("to_group__isnull", True), ("to_person__isnull", False)),
                            models.Q(("to_group__isnull", False), ("to_person__isnull", True)),
                            _connector="OR",
                        ),
                        name="handoff_to_one_side",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Remark",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid6.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("revision", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("comment", "Comment"),
                            ("question", "Question"),
                            ("answer", "Answer"),
                        ],
                        max_length=8,
                    ),
                ),
                ("nonce", models.CharField(max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=approvals.models.clock.DatabaseNow(), editable=False
                    ),
                ),
                (
                    "answers",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answered_by",
                        to="approvals.remark",
                    ),
                ),
                (
                    "asked",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="questions_asked",
                        to="approvals.person",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.person",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="remarks",
                        to="approvals.ticket",
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
                (
                    "words",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="approvals.payload",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("ticket", "user", "nonce"), name="remark_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answers__isnull", True),
                                ("asked__isnull", True),
                                ("kind", "comment"),
                            ),
                            models.Q(
                                ("answers__isnull", True),
                                ("asked__isnull", False),
                                ("kind", "question"),
                            ),
                            models.Q(
                                ("answers__isnull", False),
                                ("asked__isnull", True),
                                ("kind", "answer"),
                            ),
                            _connector="OR",
                        ),
                        name="remark_kind_has_its_parts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Snooze",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("revision", models.PositiveIntegerField()),
                ("until", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="snoozes",
                        to="approvals.person",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="snoozes",
                        to="approvals.ticket",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("person", "ticket"), name="snooze_once")
                ],
            },
        ),
        migrations.RunPython(install, remove),
    ]
