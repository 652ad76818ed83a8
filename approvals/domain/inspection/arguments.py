"""The table a reviewer reads: path and value of everything that will be sent.

Reads the exact canonical bytes, not a value somebody kept beside them. The tool's schema lends
its order and nothing else: it comes from the upstream and is not trusted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from approvals.domain.canonical import (
    JSON,
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    canonical_bytes,
    escape_pointer,
)
from approvals.domain.inspection.findings import Finding
from approvals.domain.inspection.text import InspectedText, inspect, is_identifier

MAX_ROWS: Final = 200

_MAX_SCHEMA_STEPS: Final = 8
_COMBINERS: Final = ("allOf", "anyOf", "oneOf")


type Opened = Collection[str] | Collection[int]
"""Rows that are shown whole: by their pointers, or by their places in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentRow:
    """One value with its JSON pointer (RFC 6901). `pointer` is exact, `path` is for eyes.

    `type` is JSON's: string, number, boolean, null, or for a value shown as JSON text object or
    list. `described` says whether the tool's schema knows this path.
    """

    pointer: str
    path: InspectedText
    value: InspectedText
    type: str
    described: bool

    @property
    def cut(self) -> bool:
        """Whether a part of this row is hidden; it blocks an approval until opened."""
        return self.value.cut or self.path.cut


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentTable:
    """All rows, in schema order and then in canonical order; iterates as its rows."""

    rows: tuple[ArgumentRow, ...]
    size: int
    value: JSON = field(repr=False)  # what the bytes say

    def __iter__(self) -> Iterator[ArgumentRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cut_pointers(self) -> tuple[str, ...]:
        """The pointers of the rows that must be opened before an approval."""
        return tuple(row.pointer for row in self.rows if row.cut)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding of every path and value."""
        return tuple(
            finding for row in self.rows for finding in (*row.path.findings, *row.value.findings)
        )


def argument_rows(canonical: bytes, schema: object = None, *, opened: Opened = ()) -> ArgumentTable:
    """The table of canonical argument bytes; rows in `opened` are shown uncut.

    Containers too large for a table (MAX_ROWS in all) stand in one row as JSON text, which is
    cut like any long value, so that nothing is ever left out in silence.
    """
    value = read_canonical(canonical)
    leaves: list[_Leaf] = []
    _flatten(_Place(value, "", "", schema, schema), MAX_ROWS, leaves)
    rows = tuple(
        _row(leaf, whole=at in opened or leaf.place.pointer in opened)
        for at, leaf in enumerate(leaves)
    )
    return ArgumentTable(rows=rows, size=len(canonical), value=value)


def read_canonical(canonical: bytes) -> JSON:
    """The value of canonical bytes; plain digits beyond 2^53-1 are the double they were."""
    value: JSON = json.loads(canonical, parse_int=_number)
    return value


@dataclass(frozen=True, slots=True)
class _Place:
    value: JSON
    pointer: str
    name: str
    schema: object
    root: object


@dataclass(frozen=True, slots=True)
class _Leaf:
    place: _Place
    text: str
    type: str


def _number(token: str) -> int | float:
    value = int(token)
    return value if abs(value) <= MAX_SAFE_INTEGER else float(token)


def _row(leaf: _Leaf, *, whole: bool) -> ArgumentRow:
    place = leaf.place
    identifier = leaf.type == "string" and is_identifier(place.name, leaf.text)
    return ArgumentRow(
        pointer=place.pointer,
        path=inspect(place.pointer, identifier_like=True, whole=whole),
        value=inspect(leaf.text, identifier_like=identifier, whole=whole),
        type=leaf.type,
        described=place.schema is not None,
    )


def _flatten(place: _Place, budget: int, leaves: list[_Leaf]) -> None:
    """Append the leaves under `place`, at most `budget` of them."""
    value = place.value
    if isinstance(value, str):
        leaves.append(_Leaf(place, value, "string"))
    elif (
        not isinstance(value, dict | list)
        or not value
        or len(value) > budget
        or place.pointer.count("/") >= MAX_DEPTH
    ):
        leaves.append(_Leaf(place, _plain(value), _type(value)))
    else:
        children = list(_children(place))
        share = budget
        counts = [_count(child.value, budget) for child in children]
        if sum(counts) > budget:
            share = max(1, budget // len(children))
        for child in children:
            _flatten(child, share, leaves)


def _children(place: _Place) -> Iterator[_Place]:
    value = place.value
    if isinstance(value, list):
        for index, item in enumerate(value):
            below = _item_schema(place.schema, place.root, index)
            yield _Place(item, f"{place.pointer}/{index}", place.name, below, place.root)
    elif isinstance(value, dict):
        properties = _properties(place.schema, place.root)
        order = [key for key in properties if key in value]
        order += [key for key in value if key not in properties]
        for key in order:
            pointer = f"{place.pointer}/{escape_pointer(key)}"
            yield _Place(value[key], pointer, key, properties.get(key), place.root)


def _count(value: JSON, enough: int) -> int:
    """How many leaves a value has, counted no further than one beyond `enough`."""
    stack = [value]
    leaves = 0
    while stack and leaves <= enough:
        top = stack.pop()
        if isinstance(top, dict | list) and top:
            if len(top) > enough:
                return enough + 1
            stack.extend(top.values() if isinstance(top, dict) else top)
        else:
            leaves += 1
    return leaves


def _plain(value: JSON) -> str:
    return canonical_bytes(value).decode("utf-8")


def _type(value: JSON) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, list) else "number"


# -- the schema, which may say anything -----------------------------------------------------


def _properties(schema: object, root: object) -> dict[str, object]:
    """The properties a schema describes, in its order, through references and combiners."""
    found: dict[str, object] = {}
    for part in _parts(schema, root):
        properties = part.get("properties")
        if isinstance(properties, dict):
            for key, below in properties.items():
                found.setdefault(key, below)
    return found


def _item_schema(schema: object, root: object, index: int) -> object:
    for part in _parts(schema, root):
        prefix, items = part.get("prefixItems"), part.get("items")
        if isinstance(prefix, list) and index < len(prefix):
            return prefix[index]
        if isinstance(items, dict):
            return items
    return None


def _parts(schema: object, root: object) -> list[dict[str, object]]:
    """A schema with what it refers to inside the same document, a few steps far."""
    parts: list[dict[str, object]] = []
    waiting = [schema]
    for _ in range(_MAX_SCHEMA_STEPS):
        if not waiting:
            break
        part = waiting.pop(0)
        if not isinstance(part, dict):
            continue
        parts.append(part)
        reference = part.get("$ref")
        if isinstance(reference, str):
            waiting.append(_referred(root, reference))
        for combiner in _COMBINERS:
            alternatives = part.get(combiner)
            if isinstance(alternatives, list):
                waiting.extend(alternatives[:_MAX_SCHEMA_STEPS])
    return parts


def _referred(root: object, reference: str) -> object:
    if not reference.startswith("#/"):
        return None
    place = root
    for token in reference[2:].split("/")[:_MAX_SCHEMA_STEPS]:
        name = token.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, dict) else None
    return place
