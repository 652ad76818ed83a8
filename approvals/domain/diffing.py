"""The difference between the arguments of two calls, path by path.

Compares canonical bytes; knows nothing of how a value is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Final

from approvals.domain.canonical import JSON, MAX_DEPTH, escape_pointer
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
    return value_differences(read_canonical(old), read_canonical(new), limit=limit)


def value_differences(
    before: JSON, after: JSON, *, limit: int = MAX_CHANGES
) -> tuple[Difference, ...]:
    """As `differences`, of values that were read from canonical bytes."""
    for depth in (MAX_DEPTH, 3, 2, 1):
        found = tuple(islice(_compare(before, after, "", depth), limit + 1))
        if len(found) <= limit:
            return found
    return (_whole(before, after, ""),)


def _compare(old: JSON, new: JSON, pointer: str, depth: int) -> Iterator[Difference]:
    if depth > 0 and isinstance(old, dict) and isinstance(new, dict) and (old or new):
        for key in chain(new, (key for key in old if key not in new)):
            here = f"{pointer}/{escape_pointer(key)}"
            if key not in old:
                yield Difference(pointer=here, change=Change.ADDED, new=new[key])
            elif key not in new:
                yield Difference(pointer=here, change=Change.REMOVED, old=old[key])
            else:
                yield from _compare(old[key], new[key], here, depth - 1)
    elif depth > 0 and isinstance(old, list) and isinstance(new, list) and (old or new):
        for index in range(max(len(old), len(new))):
            here = f"{pointer}/{index}"
            if index >= len(old):
                yield Difference(pointer=here, change=Change.ADDED, new=new[index])
            elif index >= len(new):
                yield Difference(pointer=here, change=Change.REMOVED, old=old[index])
            else:
                yield from _compare(old[index], new[index], here, depth - 1)
    else:
        yield _whole(old, new, pointer)


def _whole(old: JSON, new: JSON, pointer: str) -> Difference:
    """Compared by spelling, since Python holds true and 1 equal.

    Both were read from canonical bytes, so equal values have equal types and equal key order.
    """
    same = repr(old) == repr(new)
    return Difference(
        pointer=pointer, change=Change.UNCHANGED if same else Change.CHANGED, old=old, new=new
    )
