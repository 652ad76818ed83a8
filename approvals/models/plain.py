"""Whole rows by plain statements, for the few writes and reads that every paused call makes.

The ORM spells its statement anew each time, which costs a row of sixty columns more than the
database's own work. Here the statement is spelled once per model and database; values pass through
the fields' own conversions, so that a row reads exactly as the ORM would have read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import InsertQuery

from approvals.models.clock import now_sql

AS_IT_IS: Final = (str, bytes, int, type(None))  # every driver takes these without help

type Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Table:
    """A model's columns as one database spells them, and what makes values of them."""

    name: str
    fields: tuple[Field[Any, Any], ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    converts: tuple[tuple[int, Convert], ...]

    @property
    def selected(self) -> str:
        """All columns, in order."""
        return ", ".join(self.columns)


def one(statement: str, *values: object) -> tuple[Any, ...] | None:
    """The first row that a statement finds; UUIDs among the values as the columns hold them."""
    database = connections[DEFAULT_DB_ALIAS]
    native = database.features.has_native_uuid_field
    given: list[Any] = [v.hex if isinstance(v, UUID) and not native else v for v in values]
    with database.cursor() as cursor:
        cursor.execute(statement, given)
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def insert_all(rows: Sequence[Model]) -> None:
    """Insert unsaved rows of one model, whose keys are known, by one statement."""
    if not rows:
        return
    database = connections[DEFAULT_DB_ALIAS]
    table = _table(type(rows[0]), database.vendor)
    places = ", ".join(["%s"] * len(table.fields))
    with database.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table.name} ({table.selected}) VALUES ({places})",  # noqa: S608 (ours)
            [[_value(row, field, database) for field in table.fields] for row in rows],
        )
    for row in rows:
        row._state.adding = False  # noqa: SLF001 (as a save would have noted)


def insert[M: Model](row: M) -> tuple[M, datetime]:
    """Insert an unsaved row; the row as it is stored, and the database's clock.

    Its values may be expressions of the database, such as its clock.
    """
    database = connections[DEFAULT_DB_ALIAS]
    table = _table(type(row), database.vendor)
    columns, places = [], []
    values: list[Any] = []
    for field, column in zip(table.fields, table.columns, strict=True):
        value = getattr(row, field.attname)
        if isinstance(value, DatabaseDefault) or (field.primary_key and value is None):
            continue  # the database knows
        columns.append(column)
        if hasattr(value, "resolve_expression"):
            spelled, its_values = _expression(row, value, database)
            places.append(spelled)
            values.extend(its_values)
        else:
            places.append("%s")
            values.append(_value(row, field, database))
    statement = (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(places)})"  # noqa: S608
        f" RETURNING {table.selected}, {now_sql(database.vendor)}"
    )
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchone()
    if found is None:
        raise RuntimeError(f"the database returned nothing for a new row of {table.name}")
    return _made(type(row), table, found)


def read[M: Model](model: type[M], key: object) -> tuple[M, datetime]:
    """The row with this primary key, and the database's clock; raises the model's DoesNotExist."""
    database = connections[DEFAULT_DB_ALIAS]
    table = _table(model, database.vendor)
    pk = model._meta.pk
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {table.selected}, {now_sql(database.vendor)}"  # noqa: S608 (ours)
            f" FROM {table.name} WHERE {database.ops.quote_name(str(pk.column))} = %s",
            [pk.get_db_prep_value(key, database)],
        )
        found = cursor.fetchone()
    if found is None:
        raise model.DoesNotExist(f"{model._meta.label} {key}")  # type: ignore[attr-defined]
    return _made(model, table, found)


def _made[M: Model](model: type[M], table: _Table, found: Sequence[Any]) -> tuple[M, datetime]:
    *values, now = found
    for index, convert in table.converts:
        values[index] = convert(values[index])
    row = model.from_db(DEFAULT_DB_ALIAS, table.names, values)
    return row, now if isinstance(now, datetime) else datetime.fromisoformat(f"{now}+00:00")


def _value(row: Model, field: Field[Any, Any], database: BaseDatabaseWrapper) -> Any:
    value = getattr(row, field.attname)
    return value if type(value) in AS_IT_IS else field.get_db_prep_save(value, database)


def _expression(row: Model, value: Any, database: BaseDatabaseWrapper) -> tuple[str, Sequence[Any]]:
    query = InsertQuery(type(row))
    resolved = value.resolve_expression(query, allow_joins=False, for_save=True)
    spelled, values = query.get_compiler(connection=database).compile(resolved)
    return spelled, values


@cache
def _table(model: type[Model], vendor: str) -> _Table:
    database = connections[DEFAULT_DB_ALIAS]
    quoted = database.ops.quote_name
    fields = tuple(model._meta.concrete_fields)
    converts = [
        (index, convert)
        for index, field in enumerate(fields)
        for convert in _converters(field, database)
    ]
    return _Table(
        name=quoted(model._meta.db_table),
        fields=fields,
        names=tuple(field.attname for field in fields),
        columns=tuple(quoted(str(field.column)) for field in fields),
        converts=tuple(converts),
    )


def _converters(field: Field[Any, Any], database: BaseDatabaseWrapper) -> list[Convert]:
    """What the ORM applies to a value of this column, the database's part first."""
    column = field.get_col(field.model._meta.db_table)
    found = [*database.ops.get_db_converters(column), *column.get_db_converters(database)]

    def bound(convert: Any) -> Convert:
        return lambda value: convert(value, column, connections[DEFAULT_DB_ALIAS])

    return [bound(convert) for convert in found]
