"""What differs between two exports, in one line per named thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcpbridge.approvals_gateway import current_policy


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for each thing that is new or different, and one for the policy."""
    lines: list[str] = []
    for section, rows in after.items():
        if section == "policy":
            if rows != before.get(section):
                version, _document = current_policy()
                lines.append(f"policy: published as version {version}")
            continue
        was = {_key(row): row for row in before.get(section, [])}
        for row in rows:
            old = was.get(_key(row))
            if old is None:
                lines.append(f"{section}: {_key(row)} is new")
            elif old != row:
                changed = sorted(name for name in {*old, *row} if old.get(name) != row.get(name))
                lines.append(f"{section}: {_key(row)} changed in {', '.join(changed)}")
    return tuple(lines)


def _key(row: Mapping[str, Any]) -> str:
    if "email" in row:
        return str(row["email"])
    return f"{row['upstream']}.{row['name']}" if "definition" in row else str(row["name"])
