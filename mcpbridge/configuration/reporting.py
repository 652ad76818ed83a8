"""What differs between two exports, in one line per named thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for each thing that is new or different, and each rule of the policy."""
    lines: list[str] = []
    for section, rows in after.items():
        if section == "policy":
            lines += _policy(before.get(section) or {}, rows)
        else:
            lines += _named(section, before.get(section, []), rows)
    return tuple(lines)


def _named(section: str, before: Iterable[Any], after: Iterable[Any]) -> list[str]:
    was = {_key(row): row for row in before}
    lines = []
    for row in after:
        old = was.pop(_key(row), None)
        if old is None:
            lines.append(f"{section}: {_key(row)} is new")
        elif old != row:
            changed = sorted(name for name in {*old, *row} if old.get(name) != row.get(name))
            lines.append(f"{section}: {_key(row)} changed in {', '.join(changed)}")
    return lines + [f"{section}: {name} is no longer in use" for name in was]


def _policy(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if before == after:
        return []
    old, new = before.get("rules", []), after["rules"]
    lines = _named("policy", old, new)
    if before and before.get("defaults") != after["defaults"]:
        lines.append("policy: the defaults changed")
    if lines:
        return lines
    return ["policy: the rules are in another order" if old != new else "policy: published"]


def _key(row: Mapping[str, Any]) -> str:
    if "email" in row:
        return str(row["email"])
    return f"{row['upstream']}.{row['name']}" if "definition" in row else str(row["name"])
