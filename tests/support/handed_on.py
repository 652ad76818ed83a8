"""PostgreSQL databases that go from one test to the next, with what the last one wrote taken out.

To copy a template and to drop the copy costs the server far more than most tests do; to delete
some rows costs next to nothing. A database whose schema a test changed goes no further. Each test
finds its database under a new name, so that nothing takes it for the last one's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import Connection, sql

WAIT_MS: Final = 10_000

TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
SEQUENCES: Final = (
    "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
)
# What DDL leaves behind: another row, or another version of one.
SCHEMA: Final = """
SELECT md5(string_agg(it, ',' ORDER BY it)) FROM (
    SELECT 't' || oid || '.' || xmin || tgenabled::text FROM pg_trigger
    UNION ALL SELECT 'c' || oid || '.' || xmin FROM pg_constraint
    UNION ALL SELECT 'p' || oid || '.' || xmin FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'r' || oid || '.' || relname || relnatts || relkind::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'i' || indexrelid || '.' || xmin FROM pg_index
    UNION ALL SELECT 'a' || attrelid || '.' || attnum || '.' || attnotnull || atttypmod
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0
) AS all_of_it (it)
"""


@dataclass(frozen=True, slots=True)
class AsMade:
    """What a database holds before the first test writes."""

    schema: str
    rows: dict[str, bytes] = field(repr=False)  # table: its rows, as COPY writes them
    sequences: dict[str, int | None] = field(repr=False)


def as_made(session: Connection[Any]) -> AsMade:
    """Read what this new database holds."""
    rows = {}
    for (table,) in session.execute(TABLES).fetchall():
        with session.cursor().copy(
            sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
        ) as copy:
            rows[table] = b"".join(copy)
    empty = min(rows.values(), key=len)
    return AsMade(
        schema=_schema(session),
        rows={table: data for table, data in rows.items() if data != empty},
        sequences=dict(session.execute(SEQUENCES).fetchall()),
    )


def restored(session: Connection[Any], made: AsMade) -> bool:
    """Take out what was written; False where the schema is another one and nothing was done.

    Ends every other session of the database first. Triggers, which guard rows against just this,
    are off for this transaction.
    """
    session.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        (WAIT_MS,),
    )
    if _schema(session) != made.schema:
        return False
    tables = [table for (table,) in session.execute(TABLES).fetchall()]
    filled = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in tables
    )
    with session.transaction():
        session.execute("SET LOCAL session_replication_role = replica")
        for (table,) in session.execute(filled).fetchall():
            session.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        for table, data in made.rows.items():
            with session.cursor().copy(
                sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
            ) as copy:
                copy.write(data)
        for sequence, value in session.execute(SEQUENCES).fetchall():
            if value != made.sequences[sequence]:
                before = made.sequences[sequence]
                session.execute(
                    "SELECT setval(%s::regclass, %s, %s)",
                    (f'"{sequence}"', before or 1, before is not None),
                )
    return True


def _schema(session: Connection[Any]) -> str:
    row = session.execute(SCHEMA).fetchone()
    assert row is not None
    return str(row[0])
