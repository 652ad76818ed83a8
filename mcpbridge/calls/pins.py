"""What an admin has seen of a tool, as a digest, and how two definitions differ.

The digest is over sorted, compact JSON of our own making. It is compared only with itself, so it
needs no outside canonical form, and this layer stays free of the ledger's. Neither the order of
keys nor that of `required` counts, since neither means anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mcpbridge.calls.strict_json import JSON, pointer

PINNED_FIELDS: Final = (
    "name",
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
)
# Under these a schema holds values, not schemas; nothing in there is reordered.
_VALUES: Final = frozenset({"const", "default", "enum", "examples"})
# Under these the keys are names of the upstream's choice, not words of the schema language.
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionChange:
    """One difference between two definitions, by JSON pointer; of added and removed one side."""

    pointer: str
    kind: Literal["added", "removed", "changed"]
    old: JSON = None
    new: JSON = None


def pinned_part(definition: Mapping[str, JSON]) -> dict[str, JSON]:
    """What of a tool's definition is pinned; null and absent are the same."""
    return {
        field: definition[field] for field in PINNED_FIELDS if definition.get(field) is not None
    }


def definition_digest(definition: Mapping[str, JSON]) -> bytes:
    """The digest (32 bytes) of a tool's definition; raises ValueError for NaN and infinities."""
    plain: dict[str, JSON] = {
        field: _ordered(value) if field.endswith("Schema") else value
        for field, value in pinned_part(definition).items()
    }
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(b"placet:tool-definition\0" + text.encode("ascii")).digest()


def diff_definitions(
    old: Mapping[str, JSON], new: Mapping[str, JSON]
) -> tuple[DefinitionChange, ...]:
    """The differences that count, in the order of the pointers."""
    before, after = (
        {f: _ordered(v) if f.endswith("Schema") else v for f, v in pinned_part(d).items()}
        for d in (old, new)
    )
    return tuple(sorted(_changes(before, after, ""), key=lambda change: change.pointer))


def _ordered(schema: JSON, *, names: bool = False) -> JSON:
    """A schema with each `required` sorted; `names` where the keys are property names."""
    if isinstance(schema, list):
        return [_ordered(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    ordered: dict[str, JSON] = {}
    for key, value in schema.items():
        if names:
            ordered[key] = _ordered(value)
        elif key in _VALUES:
            ordered[key] = value
        elif key == "required" and isinstance(value, list):
            ordered[key] = sorted(value, key=repr)
        else:
            ordered[key] = _ordered(value, names=key in _NAMED)
    return ordered


def _changes(old: JSON, new: JSON, where: str) -> Iterator[DefinitionChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            here = where + pointer(key)
            if key not in new:
                yield DefinitionChange(pointer=here, kind="removed", old=old[key])
            elif key not in old:
                yield DefinitionChange(pointer=here, kind="added", new=new[key])
            else:
                yield from _changes(old[key], new[key], here)
    elif _spelled(old) != _spelled(new):
        yield DefinitionChange(pointer=where, kind="changed", old=old, new=new)


def _spelled(value: JSON) -> str:
    """A spelling by which true and 1, which Python holds equal, differ."""
    return json.dumps(value, sort_keys=True)
