"""The difference between the arguments of two calls, path by path.

Compares canonical bytes; knows nothing of how a value is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from approvals.domain.canonical import JSON, MAX_DEPTH, canonical_bytes, escape_pointer
from approvals.domain.inspection.arguments import read_canonical

MAX_CHANGES: Final = 200


class Change(StrEnum):
    """How a path of the newer arguments stands to the older ones."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path (JSON pointer). `old` and `new` are values; the absent side is None."""

    pointer: str
    change: Change
    old: JSON = None
    new: JSON = None


def differences(old: bytes, new: bytes, *, limit: int = MAX_CHANGES) -> tuple[Difference, ...]:
    """Every path of two canonical values, in the order of the newer one, then what is gone.

    Lists are compared place by place. Where there are more than `limit` paths, containers are
    compared whole from the depth on that keeps within it: nothing is left out in silence.
    """
    before, after = read_canonical(old), read_canonical(new)
    for depth in (MAX_DEPTH, 3, 2, 1):
        found = tuple(islice(_compare(before, after, "", depth), limit + 1))
        if len(found) <= limit:
            return found
    return (_whole(before, after, ""),)


def _compare(old: JSON, new: JSON, pointer: str, depth: int) -> Iterator[Difference]:
    before, after = _members(old), _members(new)
    if depth == 0 or type(old) is not type(new) or not (before or after):
        yield _whole(old, new, pointer)
        return
    for key in [*after, *(key for key in before if key not in after)]:
        here = f"{pointer}/{escape_pointer(key)}"
        if key not in before:
            yield Difference(pointer=here, change=Change.ADDED, new=after[key])
        elif key not in after:
            yield Difference(pointer=here, change=Change.REMOVED, old=before[key])
        else:
            yield from _compare(before[key], after[key], here, depth - 1)


def _members(value: JSON) -> dict[str, JSON]:
    """A container's values by reference token; of anything else, none."""
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _whole(old: JSON, new: JSON, pointer: str) -> Difference:
    """Compared by their canonical bytes, since Python holds true and 1 equal."""
    same = canonical_bytes(old) == canonical_bytes(new)
    return Difference(
        pointer=pointer, change=Change.UNCHANGED if same else Change.CHANGED, old=old, new=new
    )
