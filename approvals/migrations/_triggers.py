"""SQL of the triggers that guard rows, for PostgreSQL and SQLite alike.

Triggers repeat in the database what the code promises, so that a mistake or a hand at the console
is refused as well. SQLite drops a table's triggers whenever a later migration rebuilds that table:
such a migration has to install them again (a test and `verify_audit` look for every one of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.base.schema import BaseDatabaseSchemaEditor


@dataclass(frozen=True)
class Trigger:
    """A refusal: `when` is a condition over OLD and NEW; None refuses always."""

    name: str
    table: str
    event: str  # INSERT, UPDATE, DELETE or TRUNCATE (PostgreSQL only)
    message: str
    when: str | None = None


def immutable(table: str) -> list[Trigger]:
    """Rows of `table` are never updated, deleted or truncated."""
    return [
        Trigger(f"{table}_no_{event.lower()}", table, event, f"{table} refuses {event}")
        for event in ("UPDATE", "DELETE", "TRUNCATE")
    ]


def permanent(table: str) -> list[Trigger]:
    """Rows of `table` are never deleted or truncated."""
    return [t for t in immutable(table) if t.event != "UPDATE"]


def differ(columns: Iterable[str]) -> str:
    """Whether any of `columns` changed; NULL compares as a value."""
    return "(" + " OR ".join(f"OLD.{c} {{distinct}} NEW.{c}" for c in columns) + ")"


def moved_off(column: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Whether `column` changed along none of `pairs`."""
    allowed = " OR ".join(
        f"(OLD.{column} = '{source}' AND NEW.{column} = '{target}')" for source, target in pairs
    )
    return f"(OLD.{column} <> NEW.{column} AND NOT ({allowed}))"


def install(editor: BaseDatabaseSchemaEditor, triggers: Iterable[Trigger]) -> None:
    """Create the triggers on the connected database."""
    make = {"sqlite": _sqlite, "postgresql": _postgresql}[editor.connection.vendor]
    for trigger in triggers:
        for statement in make(trigger):
            editor.execute(statement, params=None)


def remove(editor: BaseDatabaseSchemaEditor, triggers: Iterable[Trigger]) -> None:
    """Drop the triggers again."""
    for trigger in triggers:
        if editor.connection.vendor == "postgresql":
            editor.execute(f"DROP TRIGGER {trigger.name} ON {trigger.table}", params=None)
            editor.execute(f"DROP FUNCTION {trigger.name}()", params=None)
        elif trigger.event != "TRUNCATE":
            editor.execute(f"DROP TRIGGER {trigger.name}", params=None)


_WORDS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {"distinct": "IS NOT", "false": "0", "true": "1"},
    "postgresql": {"distinct": "IS DISTINCT FROM", "false": "FALSE", "true": "TRUE"},
}


def _sqlite(trigger: Trigger) -> list[str]:
    if trigger.event == "TRUNCATE":
        return []
    when = f"WHEN {trigger.when.format(**_WORDS['sqlite'])} " if trigger.when else ""
    return [
        f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table} FOR EACH ROW "
        f"{when}BEGIN SELECT RAISE(ABORT, '{trigger.message}'); END"
    ]


def _postgresql(trigger: Trigger) -> list[str]:
    when = f"WHEN ({trigger.when.format(**_WORDS['postgresql'])}) " if trigger.when else ""
    # A sub-select may not stand in WHEN, therefore conditions with one go into the function.
    inside = trigger.when is not None and "SELECT" in trigger.when
    raising = (
        f"RAISE EXCEPTION '{trigger.message}' USING ERRCODE = 'integrity_constraint_violation';"
    )
    body = f"IF {when[6:-2]} THEN {raising} END IF; RETURN NEW;" if inside else raising
    each = "STATEMENT" if trigger.event == "TRUNCATE" else "ROW"
    return [
        f"CREATE FUNCTION {trigger.name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} END $$",
        f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table} "
        f"FOR EACH {each} {'' if inside else when}EXECUTE FUNCTION {trigger.name}()",
    ]
