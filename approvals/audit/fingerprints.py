"""Digests over whole rows, by which an audit row attests to what it left behind.

An audit row's `detail["rows"]` maps row labels to fingerprints; `verify_audit` compares the last
attestation of a row with the row as it stands. Knows columns and their values, not their meaning.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Model

from approvals.domain.canonical import JSON, digest
from approvals.models import (
    Absence,
    AgentPause,
    AgreedTerms,
    Canary,
    Decision,
    Edit,
    Gate,
    Grant,
    Handoff,
    Payload,
    PolicyVersion,
    Remark,
    StepUpProof,
    Ticket,
    VoteMandate,
)

ATTESTED: dict[str, type[Model]] = {
    model._meta.db_table: model
    for model in (
        Absence, AgentPause, AgreedTerms, Canary, Decision, Edit, Gate, Grant, Handoff, Payload,
        PolicyVersion, Remark, StepUpProof, Ticket, VoteMandate,
    )
}  # fmt: skip


def row_label(row: Model) -> str:
    """The table and key of `row`, as attestations name it."""
    return f"{row._meta.db_table}:{row.pk}"


def fingerprint(row: Model) -> str:
    """The hex digest over every column of `row` as it stands, leases of executors excepted.

    An executor's lease is a heartbeat, renewed without an audit row for as long as it runs.
    """
    columns: dict[str, JSON] = {
        field.attname: _plain(getattr(row, field.attname)) for field in row._meta.concrete_fields
    }
    if isinstance(row, Ticket) and row.state in {"claimed", "sent"}:
        del columns["lease_expires_at"]
    table = row._meta.db_table
    return digest("row", {"table": table, "columns": columns}).hex()


def attest(*rows: Model) -> dict[str, JSON]:
    """A `detail` (or a part of one) that attests to `rows` as they stand."""
    return {"rows": {row_label(row): fingerprint(row) for row in rows}}


def instant(moment: datetime) -> str:
    """The one spelling of an instant in digests: UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: object) -> JSON:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes | memoryview | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict | list):
        # Compact text, not a nested value: stored JSON may hold what canonical bytes refuse.
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    raise TypeError(f"a column holds a {type(value).__name__}, which has no fingerprint")
