"""The rows of call records, and the gate that their transaction reads.

Synchronous; runs inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Exists, Field, Model, OuterRef, Q
from uuid6 import uuid7

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import AuthorityChanged, GateView, KillSwitchOn
from mcpbridge.models import AgentToken, CallCompletion, CallRecord

_AS_IT_IS: Final = (str, bytes, int, type(None))  # every driver takes these without help

type Status = Literal["ok", "error", "unsent", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStart:
    """A call that policy allowed or denied, judged at `epoch`."""

    id: UUID = field(default_factory=uuid7)
    agent_id: UUID
    person_id: UUID
    token_id: UUID
    upstream_id: UUID
    tool_name: str
    tool_digest: bytes | None  # None: it is no tool call
    verdict: Literal["allow", "deny"]
    rule: str
    policy_version: int | None
    epoch: int
    arguments: bytes = field(repr=False)
    trace_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How an allowed call ended."""

    call_id: UUID
    status: Status
    reason: str = ""
    result_bytes: int = 0
    milliseconds: int = 0


def refusal(start: CallStart, gate: GateView) -> AuthorityChanged | KillSwitchOn | None:
    """Why this call may not start under the gate as it stands now; None where it may.

    A denial starts nothing, so the kill switch does not keep it from being recorded.
    """
    if start.epoch != gate.epoch:
        return AuthorityChanged(epoch=gate.epoch)
    if gate.killed and start.verdict == "allow":
        return KillSwitchOn()
    return None


def without_authority(call_ids: Collection[UUID]) -> set[UUID]:
    """Those of these calls whose agent is disabled now, or whose token is revoked."""
    revoked = AgentToken.objects.filter(pk=OuterRef("token_id"), revoked_at__isnull=False)
    found = CallRecord.objects.filter(
        Q(agent__enabled=False) | Exists(revoked), pk__in=list(call_ids)
    )
    return set(found.values_list("pk", flat=True))


def insert_starts(starts: Sequence[CallStart]) -> None:
    """Write the starts, their arguments sealed; joins the caller's transaction."""
    if not starts:
        return
    sealed = ledger.seal_all("arguments", [start.arguments for start in starts])
    _insert(
        CallRecord,
        [
            {
                "id": start.id,
                "agent": start.agent_id,
                "person": start.person_id,
                "token_id": start.token_id,
                "upstream": start.upstream_id,
                "tool_name": start.tool_name,
                "tool_digest": start.tool_digest,
                "verdict": start.verdict,
                "rule": start.rule[:120],
                "policy_version": start.policy_version,
                "gate_epoch": start.epoch,
                "arguments_id": payload_id,
                "arguments_commitment": commitment,
                "trace_id": start.trace_id,
            }
            for start, (payload_id, commitment) in zip(starts, sealed, strict=True)
        ],
    )


def insert_ends(ends: Sequence[CallEnd]) -> None:
    """Write the completions; joins the caller's transaction."""
    if not ends:
        return
    _insert(
        CallCompletion,
        [
            {
                "call": end.call_id,
                "status": end.status,
                "reason": end.reason[:20],
                "result_bytes": end.result_bytes,
                "milliseconds": end.milliseconds,
            }
            for end in ends
        ],
    )


def _insert(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of equal columns by one plain statement: this is the road of every call.

    Columns that are not named take the database's default.
    """
    database = connections[DEFAULT_DB_ALIAS]  # the proxy `connection` looks it up at each use
    statement, fields = _statement(model, database.vendor, tuple(rows[0]))
    with database.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                [
                    value
                    if type(value := row[field.name]) in _AS_IT_IS
                    else field.get_db_prep_save(value, database)
                    for field in fields
                ]
                for row in rows
            ],
        )


@cache
def _statement(
    model: type[Model], vendor: str, names: tuple[str, ...]
) -> tuple[str, tuple[Field[Any, Any], ...]]:
    """The statement that inserts these columns, and their fields in its order."""
    quoted = connections[DEFAULT_DB_ALIAS].ops.quote_name
    fields = tuple(field for field in model._meta.concrete_fields if field.name in names)
    columns = ", ".join(quoted(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    table = quoted(model._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES ({places})", fields  # noqa: S608 (our own)
