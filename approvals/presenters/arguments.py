"""The table of what will be sent, row by row, and which rows are still shown cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from approvals.domain.inspection import (
    ArgumentRow,
    ArgumentTable,
    InspectedText,
    argument_rows,
    inspect,
)
from approvals.domain.inspection.arguments import Opened
from approvals.presenters.words import byte_size, told

EMPHASISED_CHARS: Final = 60
RAW_WHOLE_BYTES: Final = 65_536
LONG_BYTES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value. `index` names it in addresses; `emphasis` sets short exact values larger."""

    index: int
    anchor: str
    pointer: str
    path: InspectedText
    value: InspectedText
    type: str
    empty: str  # words for a value that shows nothing
    emphasis: bool
    multiline: bool
    remarks: tuple[str, ...]
    undescribed: bool
    cut: bool
    hidden: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The whole table; `purged` when retention has removed the values."""

    rows: tuple[Row, ...] = ()
    size: str = ""
    raw: InspectedText | None = None
    cut_rows: tuple[Row, ...] = ()
    open_rows: tuple[Row, ...] = ()  # shown whole because somebody asked for it
    purged: bool = False
    nothing: bool = False  # the tool is called without arguments
    table: ArgumentTable | None = None  # what all this was read from


def argument_table(canonical: bytes, schema: object, *, opened: Opened = ()) -> ArgumentTable:
    """The table of canonical bytes in the order of the tool's schema.

    The order is the same for the same call, so a row's place in it names the row.
    """
    return argument_rows(canonical, schema, opened=opened)


def present_arguments(canonical: bytes | None, schema: object, opened: Opened) -> Arguments:
    """The table of canonical bytes, with the rows in `opened` uncut."""
    if canonical is None:
        return Arguments(purged=True)
    table = argument_table(canonical, schema, opened=opened)
    described = isinstance(schema, dict) and bool(schema.get("properties"))
    rows = tuple(_row(index, row, described=described) for index, row in enumerate(table.rows))
    return Arguments(
        rows=rows,
        size=byte_size(table.size),
        raw=inspect(canonical.decode(), whole=len(canonical) <= RAW_WHOLE_BYTES),
        cut_rows=tuple(row for row in rows if row.cut),
        open_rows=tuple(row for row in rows if row.index in opened or row.pointer in opened),
        nothing=canonical == b"{}",
        table=table,
    )


def input_schema(definition: object) -> object:
    """The schema of a tool's arguments, from its definition as the upstream gave it."""
    return definition.get("inputSchema") if isinstance(definition, dict) else None


def _row(index: int, row: ArgumentRow, *, described: bool) -> Row:
    remarks = [told(finding.words) for finding in (*row.path.findings, *row.value.findings)]
    shown = row.value.shown
    return Row(
        index=index,
        anchor=f"arg-{index}",
        pointer=row.pointer,
        path=row.path if row.pointer else inspect(gettext("(the whole value)")),
        value=row.value,
        type=row.type,
        empty=gettext("empty text") if row.type == "string" and not shown else "",
        emphasis=len(shown) <= EMPHASISED_CHARS and "\n" not in shown,
        multiline="\n" in shown,
        remarks=tuple(remarks),
        undescribed=described and not row.described,
        cut=row.cut,
        hidden=byte_size(row.value.hidden + row.path.hidden),
        size=byte_size(row.value.size),
    )
