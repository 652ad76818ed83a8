"""Checkpoints against their signatures, their leaves, the rows they cover, and exported copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import batched
from typing import Final

from approvals.audit.breaks import Break
from approvals.audit.checkpoints import (
    ORIGIN,
    as_line,
    checkpoint_hash,
    signature_holds,
)
from approvals.audit.leaves import CHUNK, sources, table_of, tree_leaf, unsealed
from approvals.domain.canonical import JSON
from approvals.domain.merkle import merkle_root
from approvals.models import Checkpoint, CheckpointLeaf
from approvals.ports import LeafSource

TABLE: Final = Checkpoint._meta.db_table
LEAVES: Final = CheckpointLeaf._meta.db_table


def check(exported: Iterable[Mapping[str, JSON]]) -> list[Break]:
    """Every break in the checkpoints and in what they cover."""
    known = sources()
    last: Checkpoint | None = None
    offset = 0
    found: list[Break] = []
    lines: dict[int, dict[str, JSON]] = {}
    for checkpoint in Checkpoint.objects.order_by("pk").iterator(chunk_size=500):
        found += _signed(checkpoint, last)
        found += _covered(checkpoint, offset, known)
        lines[checkpoint.pk] = as_line(checkpoint)
        offset += checkpoint.size
        last = checkpoint
    for extra in CheckpointLeaf.objects.filter(pk__gt=offset).order_by("pk")[:100]:
        found.append(Break(LEAVES, str(extra.pk), "no checkpoint covers this leaf"))
    for line in exported:
        found += _kept_elsewhere(line, lines)
    if last is not None:
        found += _uncovered(last, known)
    return found


def _signed(checkpoint: Checkpoint, last: Checkpoint | None) -> Iterator[Break]:
    key = str(checkpoint.pk)
    expected = last.pk + 1 if last else 1
    if checkpoint.pk != expected:
        yield Break(TABLE, str(expected), f"it is missing before checkpoint {key}")
    if not signature_holds(checkpoint):
        yield Break(TABLE, key, "its signature does not hold")
    if bytes(checkpoint.previous) != (checkpoint_hash(last) if last else ORIGIN):
        yield Break(TABLE, key, "it does not follow the checkpoint before it")


def _covered(
    checkpoint: Checkpoint, offset: int, known: Mapping[str, LeafSource]
) -> Iterator[Break]:
    """One checkpoint's leaves against its root and against the rows they stand for."""
    leaves = list(
        CheckpointLeaf.objects.filter(pk__gt=offset, pk__lte=offset + checkpoint.size).order_by(
            "pk"
        )
    )
    present = {leaf.pk for leaf in leaves}
    for key in range(offset + 1, offset + checkpoint.size + 1):
        if key not in present:
            yield Break(LEAVES, str(key), "the leaf is gone")
    for leaf in leaves:
        if (leaf.checkpoint_id, leaf.position) != (checkpoint.pk, leaf.pk - offset - 1):
            yield Break(LEAVES, str(leaf.pk), "the leaf stands at another place")
    intact = merkle_root(
        [tree_leaf(leaf.source, leaf.row, bytes(leaf.leaf)) for leaf in leaves]
    ) == bytes(checkpoint.root)
    named = False
    for problem in _rows(leaves, known, intact=intact):
        named = True
        yield problem
    if not intact and not named:
        yield Break(TABLE, str(checkpoint.pk), "its leaves do not add up to its root")


def _rows(
    leaves: Iterable[CheckpointLeaf], known: Mapping[str, LeafSource], *, intact: bool
) -> Iterator[Break]:
    """Leaves that differ from their rows; with an intact root it is the row that changed."""
    for chunk in batched(leaves, CHUNK):
        for name in sorted({leaf.source for leaf in chunk}):
            mine = [leaf for leaf in chunk if leaf.source == name]
            source = known.get(name)
            now = dict(source(rows=[leaf.row for leaf in mine])) if source else {}
            for leaf in mine:
                if now.get(leaf.row) == bytes(leaf.leaf):
                    continue
                if not intact:
                    yield Break(LEAVES, str(leaf.pk), "the leaf is not that of its row")
                elif source is None:
                    yield Break(LEAVES, str(leaf.pk), f"nothing is known of the source {name}")
                else:
                    problem = "was changed" if leaf.row in now else "is gone"
                    yield Break(
                        table_of(name, source),
                        leaf.row,
                        f"the row {problem} after checkpoint {leaf.checkpoint_id} covered it",
                    )


def _uncovered(last: Checkpoint, known: Mapping[str, LeafSource]) -> Iterator[Break]:
    """Rows older than what the last checkpoint covers, which it nevertheless does not have."""
    for name, source in known.items():
        young = {row for row, _ in source(since=last.covers_until)}
        for row, _ in unsealed(name, source()):
            if row not in young:
                yield Break(table_of(name, source), row, "no checkpoint covers this old row")


def _kept_elsewhere(
    line: Mapping[str, JSON], lines: Mapping[int, dict[str, JSON]]
) -> Iterator[Break]:
    key = line.get("id")
    here = lines.get(key) if isinstance(key, int) else None
    if here is None:
        yield Break(TABLE, str(key), "this exported checkpoint is no longer here")
    elif here != dict(line):
        yield Break(TABLE, str(key), "the exported copy of this checkpoint differs")
