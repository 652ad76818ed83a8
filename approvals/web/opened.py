"""Which cut values a person has opened: a list that only this server can write.

The ticket's page hides the middle of long values. Opening one is a link that changes nothing;
the page it leads to carries a signed statement of what was shown whole, to whom, of which ticket
digest. An approval without that statement for every cut value is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from django.core import signing
from django.http import QueryDict

from approvals.domain.errors import CutFieldsUnopened
from approvals.domain.inspection import ArgumentTable

SALT: Final = "approvals.opened"
MAX_AGE_SECONDS: Final = 24 * 3600
MOST_OPENED: Final = 200
PLACES: Final = 4  # digits; no table has as many rows


def indexes_in(query: QueryDict) -> frozenset[int]:
    """The rows that a page's address asks to show whole; anything unreadable is ignored."""
    asked = query.getlist("open")[:MOST_OPENED]
    return frozenset(
        int(text) for text in asked if text.isascii() and text.isdigit() and len(text) <= PLACES
    )


def statement(pointers: Iterable[str], *, user_id: UUID, digest: bytes) -> str:
    """The signed statement that a page carries in its form."""
    told = {"user": str(user_id), "digest": digest.hex(), "opened": sorted(pointers)}
    return signing.dumps(told, salt=SALT, compress=True)


def opened_in(token: str, *, user_id: UUID, digest: bytes) -> frozenset[str]:
    """The pointers a statement proves; none when it is not ours, too old, or about other things."""
    try:
        told = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return frozenset()
    if told["user"] != str(user_id) or told["digest"] != digest.hex():
        return frozenset()
    return frozenset(told["opened"])


def require_opened(table: ArgumentTable, opened: Collection[str]) -> None:
    """Refuse an approval that was given without having seen everything."""
    unopened = [pointer for pointer in table.cut_pointers if pointer not in opened]
    if unopened:
        raise CutFieldsUnopened(pointers=unopened)
