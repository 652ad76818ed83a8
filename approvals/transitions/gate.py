"""The gate row: read under a shared lock by every act of authority, written here alone.

Whoever writes it waits for the acts that read it, and every later act sees what was written.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import F

from approvals import events
from approvals.audit import append, attest
from approvals.audit.chain import require_transaction
from approvals.domain.canonical import JSON
from approvals.domain.errors import AuthorityChanged, KillSwitchOn
from approvals.models import DatabaseNow, Gate


def gate_for_share() -> Gate:
    """The gate as it stands until this transaction ends; raises Gate.DoesNotExist without one.

    SQLite needs no lock: its writers run one after the other.
    """
    require_transaction()
    if connection.vendor != "postgresql":
        return Gate.objects.get(pk=1)
    for gate in Gate.objects.raw("SELECT * FROM approvals_gate WHERE id = 1 FOR SHARE"):
        return gate
    raise Gate.DoesNotExist("the gate row is missing, so nothing may run")


def gate_facts_for_share() -> tuple[bool, int, int | None]:
    """Killed, epoch and policy of the gate, held as by `gate_for_share`, by one plain statement.

    Every call that policy allows looks at them.
    """
    require_transaction()
    statement = "SELECT killed, epoch, policy_id FROM approvals_gate WHERE id = 1"
    with connection.cursor() as cursor:
        cursor.execute(statement + (" FOR SHARE" if connection.vendor == "postgresql" else ""))
        row = cursor.fetchone()
    if row is None:
        raise Gate.DoesNotExist("the gate row is missing, so nothing may run")
    killed, epoch, policy = row
    return bool(killed), int(epoch), policy


def pass_gate(*, epoch: int | None = None) -> None:
    """Hold the gate for share; raises KillSwitchOn, or AuthorityChanged when not at `epoch`."""
    killed, current, _policy = gate_facts_for_share()
    if killed:
        raise KillSwitchOn
    if epoch is not None and current != epoch:
        raise AuthorityChanged(epoch=current, judged=epoch)


def bump_epoch(*, actor: str, because: str) -> Gate:
    """Make every judgement so far stale. `because` names the subject that changed."""
    return _change(actor=actor, action="epoch_bumped", detail={"because": because})


def set_kill(*, killed: bool, person_id: Any, actor: str) -> Gate:
    """Turn the kill switch on or off; either makes every judgement so far stale."""
    return _change(
        actor=actor,
        action="killed" if killed else "revived",
        killed=killed,
        killed_at=DatabaseNow() if killed else None,
        killed_by_id=person_id if killed else None,
    )


def set_policy(*, policy_id: int, actor: str) -> Gate:
    """Put a published policy version into force."""
    return _change(
        actor=actor,
        action="policy_in_force",
        detail={"policy": policy_id},
        policy_id=policy_id,
    )


def _change(
    *, actor: str, action: str, detail: dict[str, JSON] | None = None, **changes: Any
) -> Gate:
    require_transaction()
    if not Gate.objects.filter(pk=1).update(epoch=F("epoch") + 1, **changes):
        raise Gate.DoesNotExist("the gate row is missing, so nothing may run")
    gate = Gate.objects.get(pk=1)
    append(subject="gate", actor=actor, action=action, detail={**(detail or {}), **attest(gate)})
    events.gate_changed(gate.epoch, gate.killed)
    return gate
