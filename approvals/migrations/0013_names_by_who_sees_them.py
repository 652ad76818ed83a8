"""The list of names says by whom each is seen: a name of others is none that a search may count.

The list is made anew from the tickets.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAMES = {"agent": "agent_name", "upstream": "upstream_name", "tool": "tool_name"}
AUDIENCES = ("team_id", "person_id", "groups")


def list_names(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Put the names of all tickets on the list."""
    ticket, known = apps.get_model("approvals", "Ticket"), apps.get_model("approvals", "KnownName")
    known.objects.bulk_create(
        (
            known(audience=audience, kind=kind, name=name, folded=name.casefold())
            for kind, column in NAMES.items()
            for seen_by in AUDIENCES
            for audience, name in ticket.objects.order_by().values_list(seen_by, column).distinct()
            if audience is not None
        ),
        ignore_conflicts=True,
    )


def nothing(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Going back, the names go with their table."""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0012_push_key_is_derived")]

    operations = [
        migrations.DeleteModel(name="KnownName"),
        migrations.CreateModel(
            name="KnownName",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("audience", models.UUIDField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("agent", "Agent"), ("upstream", "Upstream"), ("tool", "Tool")],
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(max_length=256)),
                ("folded", models.CharField(max_length=1024)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("audience", "kind", "name"), name="known_name_once"
                    )
                ],
            },
        ),
        migrations.RunPython(list_names, nothing),
    ]
