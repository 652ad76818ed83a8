"""What people typed into the form of a ticket that asks for an answer. Never changed."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.deletion import PROTECT

from approvals.migrations import _triggers as guard

TRIGGERS = guard.immutable("approvals_typedanswer")


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers."""
    guard.install(editor, TRIGGERS)


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the triggers again."""
    guard.remove(editor, TRIGGERS)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_guards")]
    operations = [
        migrations.CreateModel(
            name="TypedAnswer",
            fields=[
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=PROTECT,
                        primary_key=True,
                        related_name="answer",
                        serialize=False,
                        to="approvals.decision",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="approvals.ticket"),
                ),
                (
                    "payload",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="approvals.payload"),
                ),
            ],
        ),
        migrations.RunPython(install, remove),
    ]
