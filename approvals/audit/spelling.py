"""Whether SQLite stores every audited value in the one spelling that Placet writes.

SQLite keeps what it is given: a time may be written in several ways, a number as text. Rows are
hashed by their meaning, which a changed spelling would not change: hence this look at the raw
values. PostgreSQL's types leave no such room.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from django.db import connection
from django.db.models import Field, Model

from approvals.audit.breaks import Break

_UUID: Final = re.compile(r"[0-9a-f]{32}\Z")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\Z")
_CHUNK: Final = 500


def misspelt(model: type[Model]) -> Iterator[Break]:
    """Rows of `model` that hold a value Placet would not have written so; nothing off SQLite."""
    if connection.vendor != "sqlite":
        return
    meta = model._meta
    fields = [(field, str(field.column)) for field in meta.concrete_fields]
    quote = connection.ops.quote_name
    # The sign keeps the driver from converting the value by the column's declared type.
    columns = ", ".join(f"+{quote(column)}" for _, column in fields)
    place = [field.primary_key for field, _ in fields].index(True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(meta.db_table)}")  # noqa: S608 (our own names)
        while rows := cursor.fetchmany(_CHUNK):
            for row in rows:
                wrong = [
                    column
                    for (field, column), value in zip(fields, row, strict=True)
                    if not _fits(field, value)
                ]
                if wrong:
                    yield Break(
                        meta.db_table, _key(row[place]), f"{', '.join(wrong)} is not as written"
                    )


def _key(value: object) -> str:
    """A key as people know it: UUIDs with dashes."""
    text = str(value)
    if _UUID.match(text):
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text


def _fits(field: Field[Any, Any], value: object) -> bool:
    if value is None:
        return field.null
    kind = _kind(field)
    if kind == "BinaryField":
        return isinstance(value, bytes)
    if kind == "BooleanField":
        return type(value) is int and value in (0, 1)
    if kind.endswith(("IntegerField", "AutoField")):
        return type(value) is int
    return isinstance(value, str) and _text_fits(kind, value)


def _text_fits(kind: str, value: str) -> bool:
    if kind == "UUIDField":
        return bool(_UUID.match(value))
    if kind == "DateTimeField":
        return bool(_TIME.match(value))
    if kind == "JSONField":
        try:
            return json.dumps(json.loads(value)) == value
        except ValueError:
            return False
    return kind in {"CharField", "TextField", "SlugField"}


def _kind(field: Field[Any, Any]) -> str:
    """The type of what is stored: a foreign key stores its target's key."""
    while field.remote_field is not None:
        field = field.target_field  # type: ignore[attr-defined]  # foreign keys have one
    return field.get_internal_type()
