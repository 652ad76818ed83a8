"""Call records and their completions are never changed: the database refuses it."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLES = ("mcpbridge_callrecord", "mcpbridge_callcompletion")
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
    dependencies = [("mcpbridge", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
