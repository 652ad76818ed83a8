"""Whoever put a ticket away is told when it is back; what was over before is no news."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.functions import Now

KINDS = [
    ("needs_you", "needs_you"),
    ("reminder", "reminder"),
    ("returned", "returned"),
    ("escalated", "escalated"),
    ("handed", "handed"),
    ("asked", "asked"),
    ("answered", "answered"),
    ("commented", "commented"),
    ("ended", "ended"),
    ("unknown", "unknown"),
    ("stopped", "stopped"),
    ("resumed", "resumed"),
    ("credential", "credential"),
    ("test", "test"),
]


def notice_what_is_over(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Nobody hears of a snooze that ended before."""
    apps.get_model("approvals", "Snooze").objects.filter(until__lte=Now()).update(noticed=True)


def nothing(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Going back, the column goes."""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0013_names_by_who_sees_them")]

    operations = [
        migrations.AddField(
            model_name="snooze", name="noticed", field=models.BooleanField(default=False)
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=12),
        ),
        migrations.AddIndex(
            model_name="snooze",
            index=models.Index(
                condition=models.Q(("noticed", False)), fields=["until"], name="snooze_to_notice"
            ),
        ),
        migrations.RunPython(notice_what_is_over, nothing),
    ]
