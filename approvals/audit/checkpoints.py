"""Signed Merkle checkpoints over all new audit rows and call records, and their copies off the box.

A hash chain alone does not stop somebody who may rewrite the whole database. A checkpoint signs
what stood there; kept on another machine, it shows any later change. Any number of processes may
seal at the same time: one of them wins, the others did nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import IntegrityError, transaction

from approvals import conf
from approvals.audit.fingerprints import instant
from approvals.audit.leaves import sources, tree_leaf, unsealed
from approvals.domain.canonical import JSON, digest
from approvals.domain.merkle import merkle_root
from approvals.models import Checkpoint, CheckpointLeaf, database_now
from approvals.ports import Leaf

logger = logging.getLogger(__name__)

ORIGIN: Final = bytes(32)
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
# A row may become visible this long after the time it bears: it is looked for until then.
OVERLAP: Final = timedelta(seconds=60)
LIMIT: Final = 20_000  # leaves in one checkpoint
FILE_NAME: Final = "checkpoints.jsonl"


def seal_checkpoint(*, limit: int = LIMIT) -> Checkpoint | None:
    """Sign what no checkpoint covers yet; None when there was nothing, or a race was lost.

    Copies the checkpoints to the configured folder as well.
    """
    last = Checkpoint.objects.order_by("-id").first()
    began = database_now()
    found = _collect(last.covers_until if last else None, limit + 1)
    complete = len(found) <= limit
    found = found[:limit]
    if not found:
        return None
    known = last.covers_until if last else BEGINNING
    checkpoint = Checkpoint(
        id=last.pk + 1 if last else 1,
        at=began,
        covers_until=max(known, began - OVERLAP) if complete else known,
        size=len(found),
        root=merkle_root([tree_leaf(*leaf) for leaf in found]),
        previous=checkpoint_hash(last) if last else ORIGIN,
        key_id=key_id(public_key()),
    )
    checkpoint.signature = _private_key().sign(signed_bytes(checkpoint))
    if not _store(checkpoint, found):
        return None
    _copy_off_the_box()
    return checkpoint


def signed_bytes(checkpoint: Checkpoint) -> bytes:
    """What the signature covers: every column but the signature itself."""
    return digest("checkpoint", _columns(checkpoint))


def checkpoint_hash(checkpoint: Checkpoint) -> bytes:
    """What the next checkpoint calls its previous one (32 bytes)."""
    return digest(
        "checkpoint-signed",
        {**_columns(checkpoint), "signature": bytes(checkpoint.signature).hex()},
    )


def signature_holds(checkpoint: Checkpoint) -> bool:
    """Whether our key signed this checkpoint as it stands."""
    key = public_key()
    try:
        key.verify(bytes(checkpoint.signature), signed_bytes(checkpoint))
    except InvalidSignature:
        return False
    return checkpoint.key_id == key_id(key)


def public_key() -> Ed25519PublicKey:
    """The key that verifies checkpoints."""
    return _private_key().public_key()


def key_id(key: Ed25519PublicKey) -> str:
    """The short name of a public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def as_line(checkpoint: Checkpoint) -> dict[str, JSON]:
    """The checkpoint as it is kept off the box: verifiable with the public key alone."""
    return {
        **_columns(checkpoint),
        "signature": bytes(checkpoint.signature).hex(),
        "public_key": public_key().public_bytes_raw().hex(),
    }


def export_new(folder: Path) -> int:
    """Append every checkpoint that the folder's file does not have yet; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE_NAME).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        last = 0
        for line in file:
            last = max(last, int(json.loads(line)["id"]))
        new = [
            json.dumps(as_line(checkpoint), sort_keys=True)
            for checkpoint in Checkpoint.objects.filter(pk__gt=last).order_by("pk").iterator()
        ]
        file.write("".join(f"{line}\n" for line in new).encode())
        file.flush()
        os.fsync(file.fileno())
    return len(new)


def read_exported(path: Path) -> Iterator[dict[str, JSON]]:
    """The checkpoints in an exported file; raises ValueError naming a line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line)
                int(found["id"])
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}: not a checkpoint") from None
            yield found


def _collect(since: datetime | None, limit: int) -> list[tuple[str, str, bytes]]:
    found: list[tuple[str, str, bytes]] = []
    for name, source in sources().items():
        leaves: Iterator[Leaf] = unsealed(name, source(since=since))
        for row, leaf in leaves:
            found.append((name, row, leaf))
            if len(found) >= limit:
                return found
    return found


def _store(checkpoint: Checkpoint, found: list[tuple[str, str, bytes]]) -> bool:
    """Insert the checkpoint with its leaves; False when another process was first."""
    try:
        with transaction.atomic():
            before = CheckpointLeaf.objects.order_by("-id").values_list("id", flat=True).first()
            checkpoint.save(force_insert=True)
            CheckpointLeaf.objects.bulk_create(
                [
                    CheckpointLeaf(
                        id=(before or 0) + 1 + position,
                        checkpoint=checkpoint,
                        position=position,
                        source=name,
                        row=row,
                        leaf=leaf,
                    )
                    for position, (name, row, leaf) in enumerate(found)
                ],
                batch_size=1000,
            )
    except IntegrityError:
        return False
    return True


def _copy_off_the_box() -> None:
    """Export to the configured folder; what cannot be written now goes with the next one."""
    folder = conf.checkpoint_export_dir()
    if folder is None:
        return
    try:
        export_new(folder)
    except (OSError, ValueError, KeyError, TypeError):
        logger.exception("Checkpoints could not be copied to %s.", folder)


def _columns(checkpoint: Checkpoint) -> dict[str, JSON]:
    return {
        "id": checkpoint.pk,
        "at": instant(checkpoint.at),
        "covers_until": instant(checkpoint.covers_until),
        "size": checkpoint.size,
        "root": bytes(checkpoint.root).hex(),
        "previous": bytes(checkpoint.previous).hex(),
        "key_id": checkpoint.key_id,
    }


def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(conf.checkpoint_key())
