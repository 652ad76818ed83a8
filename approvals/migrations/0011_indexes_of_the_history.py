"""Indexes that the history looks along, the list of names, and fewer indexes nobody looked along.

The keys' own indexes are dropped by name: altering the columns would build SQLite's table anew, and
its triggers would be gone.
"""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PAYLOADS = ("arguments", "tool_definition", "agent_says", "result", "reason", "annotation")
NAMES = {"agent": "agent_name", "upstream": "upstream_name", "tool": "tool_name"}


def drop_indexes(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the plain index on each key that has none any more."""
    columns = [f"{name}_id" for name in (*PAYLOADS, "team", "person")]
    connection = editor.connection
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "approvals_ticket")
    for name, constraint in found.items():
        plain = constraint["index"] and not constraint["unique"]
        if plain and len(constraint["columns"]) == 1 and constraint["columns"][0] in columns:
            editor.execute(f"DROP INDEX {editor.quote_name(name)}")


def list_names(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Put the names of all tickets on the list."""
    ticket, known = apps.get_model("approvals", "Ticket"), apps.get_model("approvals", "KnownName")
    known.objects.bulk_create(
        known(kind=kind, name=name, folded=name.casefold())
        for kind, column in NAMES.items()
        for name in ticket.objects.order_by().values_list(column, flat=True).distinct()
    )


def nothing(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Going back, the indexes stay away and the names go with their table."""


def _key(to: str, *, null: bool = False, related: str = "+") -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        null=null,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related,
        to=to,
    )


class Migration(migrations.Migration):
    dependencies = [("approvals", "0010_away_and_paused")]

    operations = [
        migrations.CreateModel(
            name="KnownName",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
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
                    models.UniqueConstraint(fields=("kind", "name"), name="known_name_once")
                ],
            },
        ),
        migrations.RunPython(list_names, nothing),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_indexes, nothing)],
            state_operations=[
                *(
                    migrations.AlterField(
                        "ticket", name, _key("approvals.payload", null=name != "arguments")
                    )
                    for name in PAYLOADS
                ),
                migrations.AlterField("ticket", "team", _key("approvals.team", related="tickets")),
                migrations.AlterField(
                    "ticket", "person", _key("approvals.person", related="submitted_tickets")
                ),
            ],
        ),
        *(
            migrations.AddIndex("ticket", models.Index(fields=[column, "-id"], name=name))
            for column, name in (
                ("agent_name", "ticket_named_agent"),
                ("upstream_name", "ticket_named_upstream"),
                ("tool_name", "ticket_named_tool"),
            )
        ),
        migrations.AddIndex("ticket", models.Index(fields=["created_at"], name="ticket_by_time")),
        migrations.AddIndex(
            "decision",
            models.Index(fields=["person", "-ticket"], name="decision_person_ticket"),
        ),
    ]
