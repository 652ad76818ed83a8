"""Who answers the questions of an upstream, and the records of what was asked and answered.

Like call records, they are never changed: the database refuses it.
"""

from __future__ import annotations

import uuid6
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.deletion import PROTECT
from django.db.models.functions import Now

TABLES = ("mcpbridge_questionrecord", "mcpbridge_questionanswer")
EVENTS = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create a trigger per table and event."""
    vendor = editor.connection.vendor
    for table in TABLES:
        for event in EVENTS[vendor]:
            name, refusal = f"{table}_no_{event.lower()}", f"{table} refuses {event}"
            if vendor == "sqlite":
                editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW "
                    f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
                    params=None,
                )
                continue
            editor.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation'; "
                "END $$",
                params=None,
            )
            editor.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"FOR EACH {'STATEMENT' if event == 'TRUNCATE' else 'ROW'} "
                f"EXECUTE FUNCTION {name}()",
                params=None,
            )


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    vendor = editor.connection.vendor
    for table in TABLES:
        for event in EVENTS[vendor]:
            name = f"{table}_no_{event.lower()}"
            if vendor == "sqlite":
                editor.execute(f"DROP TRIGGER {name}", params=None)
            else:
                editor.execute(f"DROP TRIGGER {name} ON {table}", params=None)
                editor.execute(f"DROP FUNCTION {name}()", params=None)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_guards"), ("mcpbridge", "0003_redeemed_states")]
    operations = [
        migrations.AddField(
            model_name="upstream",
            name="questions",
            field=models.JSONField(default=dict),
        ),
        migrations.CreateModel(
            name="QuestionRecord",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid6.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("call_id", models.UUIDField(null=True)),
                ("ticket_uid", models.UUIDField(null=True)),
                ("kind", models.CharField(max_length=12)),
                ("mode", models.CharField(max_length=12)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("question_id", models.UUIDField()),
                ("question_commitment", models.BinaryField(max_length=32)),
                ("asked_at", models.DateTimeField(db_default=Now(), editable=False)),
                (
                    "upstream",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="+", to="mcpbridge.upstream"
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="mcpbridge.agent"),
                ),
                (
                    "person",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="approvals.person"),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["upstream", "-asked_at"], name="question_newest")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(call_id__isnull=False)
                        | models.Q(ticket_uid__isnull=False),
                        name="question_belongs_to_a_call",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuestionAnswer",
            fields=[
                (
                    "question",
                    models.OneToOneField(
                        on_delete=PROTECT,
                        primary_key=True,
                        related_name="answer",
                        serialize=False,
                        to="mcpbridge.questionrecord",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("answered", "answered"), ("refused", "refused")], max_length=8
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("prompt_tokens", models.PositiveIntegerField(null=True)),
                ("answer_tokens", models.PositiveIntegerField(null=True)),
                ("milliseconds", models.PositiveIntegerField(default=0)),
                ("answer_id", models.UUIDField(null=True)),
                ("answer_commitment", models.BinaryField(max_length=32, null=True)),
                ("answered_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
        ),
        migrations.RunPython(install, remove),
    ]
