"""Where checkpoint leaves come from: the ledger's own audit rows and the sources in `ports`.

A source is a callable with an attribute `source` (its name, at most 16 characters):

    source(since=None, rows=None) -> Iterable[(row key, leaf)]

`since`: rows that began at that time or later, oldest first; `rows`: exactly these keys; neither:
every row, oldest first. A leaf is a digest (32 bytes) over all columns of the row. Knows nothing
of what the rows of other sources mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import batched

from approvals import ports
from approvals.domain.canonical import digest
from approvals.models import AuditEvent, CheckpointLeaf
from approvals.ports import Leaf, LeafSource

CHUNK = 500


class AuditLeaves:
    """The audit rows themselves; a row's leaf is its hash."""

    source = "audit"
    table = AuditEvent._meta.db_table

    def __call__(
        self, *, since: datetime | None = None, rows: Sequence[str] | None = None
    ) -> Iterator[Leaf]:
        """Audit rows as leaves, as the module's docstring says."""
        found = AuditEvent.objects.order_by("at", "id")
        if since is not None:
            found = found.filter(at__gte=since)
        if rows is not None:
            found = found.filter(pk__in=[int(row) for row in rows if row.isdecimal()])
        for key, value in found.values_list("pk", "hash").iterator(chunk_size=2000):
            yield str(key), bytes(value)


def sources() -> dict[str, LeafSource]:
    """Every source by its name, the ledger's own first."""
    named: dict[str, LeafSource] = {AuditLeaves.source: AuditLeaves()}
    for source in ports.checkpoint_sources():
        named[str(getattr(source, "source", getattr(source, "__name__", "other")))[:16]] = source
    return named


def table_of(name: str, source: LeafSource) -> str:
    """How breaks name the rows of a source."""
    return str(getattr(source, "table", name))


def unsealed(name: str, found: Iterable[Leaf]) -> Iterator[Leaf]:
    """Those of `found` that no checkpoint covers yet."""
    for chunk in batched(found, CHUNK):
        keys = [row for row, _ in chunk]
        sealed = set(
            CheckpointLeaf.objects.filter(source=name, row__in=keys).values_list("row", flat=True)
        )
        yield from (leaf for leaf in chunk if leaf[0] not in sealed)


def tree_leaf(source: str, row: str, leaf: bytes) -> bytes:
    """What stands in the Merkle tree for a row."""
    return digest("leaf", {"source": source, "row": row, "leaf": leaf.hex()})
