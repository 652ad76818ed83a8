"""Whether the whole record adds up: every row against its chain, every chain against checkpoints.

Reads everything, changes nothing, and names each row that does not add up. What it cannot see:
changes made together with a rewritten chain since the last checkpoint that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import batched, groupby
from typing import Final

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model

from approvals.audit import sealed_verification, ticket_verification
from approvals.audit.breaks import Break
from approvals.audit.fingerprints import ATTESTED, fingerprint, row_label
from approvals.audit.replay import TABLE, Replay
from approvals.audit.sealing import SealBroken, unseal
from approvals.audit.snapshot import one_snapshot
from approvals.audit.spelling import misspelt
from approvals.domain.canonical import JSON
from approvals.models import (
    Absence,
    AgentPause,
    AgreedTerms,
    AuditEvent,
    Canary,
    Checkpoint,
    CheckpointLeaf,
    Gate,
    Grant,
    Payload,
    PolicyVersion,
    StepUpProof,
    Ticket,
    VoteMandate,
)
from approvals.models.guards import GUARDS

AUDITED: Final[tuple[type[Model], ...]] = (
    AuditEvent,
    Checkpoint,
    CheckpointLeaf,
    *ATTESTED.values(),
    Ticket.groups.through,
)
_CHUNK: Final = 200


def verify(*, exported: Iterable[Mapping[str, JSON]] = ()) -> list[Break]:
    """Every break there is, the broken row itself before what follows from it; best empty.

    `exported` are checkpoints that were kept elsewhere, as `read_exported` reads them. The ledger
    may be written to meanwhile: what is judged is one snapshot of it.
    """
    with one_snapshot():
        return _verified(exported)


def _verified(exported: Iterable[Mapping[str, JSON]]) -> list[Break]:
    spelt = [found for model in AUDITED for found in misspelt(model)]
    if spelt:
        return spelt  # such a row cannot even be read for what it means
    own: list[Break] = []
    chained: list[Break] = []
    rows: list[Break] = []
    derived: list[Break] = []
    attested: set[str] = set()
    for replays in batched(_replays(), _CHUNK):
        for replay in replays:
            own += replay.own
            chained += replay.chain
            attested |= {
                label for label in replay.attested if not label.startswith("approvals_ticket:")
            }
        rows += _against_rows(replays)
        derived += ticket_verification.check([r for r in replays if r.is_ticket])
    derived += ticket_verification.without_history()
    rows += _never_attested(attested)
    rows += _payloads(attested)
    checkpoints = sealed_verification.check(exported)
    return [*own, *rows, *derived, *chained, *checkpoints, *_missing_guards()]


def _replays() -> Iterator[Replay]:
    events = AuditEvent.objects.order_by("subject", "seq").iterator(chunk_size=1000)
    for subject, links in groupby(events, key=lambda event: event.subject):
        replay = Replay(subject)
        for event in links:
            replay.add(event)
        yield replay


def _against_rows(replays: Iterable[Replay]) -> Iterator[Break]:
    """The rows that chains attest to, against those attestations and commitments."""
    attested: dict[str, str] = {}
    committed: dict[str, tuple[str, str]] = {}
    for replay in replays:
        attested |= replay.attested
        committed |= replay.payloads
    keys: dict[str, list[str]] = {}
    for label in attested:
        table, _, key = label.partition(":")
        keys.setdefault(table, []).append(key)
    for table, wanted in keys.items():
        model = ATTESTED.get(table)
        if model is None:
            yield Break(table, wanted[0], "the audit record speaks of a table it does not cover")
            continue
        keys_there = [key for key in wanted if _is_key(model, key)]
        found = {row_label(row): row for row in model._default_manager.filter(pk__in=keys_there)}  # noqa: SLF001 (Django's documented model API)
        for key in wanted:
            row = found.get(f"{table}:{key}")
            if row is None:
                yield Break(table, key, "the row is gone")
            elif fingerprint(row) != attested[f"{table}:{key}"]:
                yield Break(table, key, "the row is not as the last audit row left it")
    commitments = {
        str(key): bytes(value).hex()
        for key, value in Payload.objects.filter(
            pk__in=[key for key in committed if _is_key(Payload, key)]
        ).values_list("pk", "commitment")
    }
    for key, (value, event) in committed.items():
        if commitments.get(key) != value:
            problem = "is gone" if key not in commitments else "has another commitment"
            yield Break("approvals_payload", key, f"the payload of audit row {event} {problem}")


def _is_key(model: type[Model], key: str) -> bool:
    """Whether `key`, as an audit row spells it, can be a key of `model` at all."""
    try:
        return str(model._meta.pk.to_python(key)) == key
    except ValidationError:
        return False


def _never_attested(attested: set[str]) -> Iterator[Break]:
    """Rows that no audit row ever spoke of, and therefore nobody made in the regular way."""
    made = (
        Absence, AgentPause, AgreedTerms, Canary, Grant, PolicyVersion, StepUpProof, VoteMandate,
    )  # fmt: skip
    for model in made:
        for row in model.objects.order_by("pk").iterator(chunk_size=500):
            if row_label(row) not in attested:
                table, _, key = row_label(row).partition(":")
                yield Break(table, key, "no audit row speaks of this row")
    gate = Gate.objects.filter(pk=1).first()
    if gate is None:
        yield Break("approvals_gate", "1", "the gate row is gone")
    elif row_label(gate) not in attested and (
        gate.epoch,
        gate.killed,
        gate.policy_id,
        gate.killed_at,
        gate.killed_by_id,
    ) != (1, False, None, None, None):
        yield Break("approvals_gate", "1", "the gate changed without an audit row")


def _payloads(attested: set[str]) -> Iterator[Break]:
    """Every payload that is left opens; every other was purged in the regular way."""
    for payload in Payload.objects.order_by("pk").iterator(chunk_size=50):
        if payload.purged_at is not None:
            if row_label(payload) not in attested:
                yield Break("approvals_payload", str(payload.pk), "purged without an audit row")
            continue
        try:
            unseal(payload)
        except SealBroken as problem:
            yield Break("approvals_payload", str(payload.pk), str(problem))


def _missing_guards() -> Iterator[Break]:
    """Triggers that should refuse changes and are not there."""
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(catalog)
        there = {name for (name,) in cursor.fetchall()}
    for name in GUARDS:
        if name not in there and not (
            connection.vendor == "sqlite" and name.endswith("_no_truncate")
        ):
            yield Break("triggers", name, "the database no longer refuses what this one refused")


__all__ = ["TABLE", "Break", "verify"]
