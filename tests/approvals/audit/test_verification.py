"""Any byte of any audited row, changed by hand, is found and named by table and key."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from approvals import transitions
from approvals.audit.checkpoints import as_line, seal_checkpoint
from approvals.audit.sealing import purge
from approvals.audit.spelling import misspelt
from approvals.audit.verification import AUDITED, verify
from approvals.domain.states import CancelReason, UnknownReason
from approvals.models import AuditEvent, Checkpoint, Payload, PolicyVersion, Ticket
from tests.support import ledger

pytestmark = pytest.mark.both_engines


def a_story() -> ledger.Cast:
    """At least one row in every audited table, under two checkpoints."""
    cast = ledger.a_cast()
    seeds = ledger.an_approved(cast)
    ledger.a_grant(cast, seeds)
    with transaction.atomic():
        policy = PolicyVersion.objects.create(
            document={"rules": []}, digest=b"p" * 32, published_by=cast.bob.person
        )
        from approvals.audit import append, attest

        append(subject="policy", actor="person:x", action="published", detail=attest(policy))
        transitions.set_policy(policy_id=policy.pk, actor="person:x")
    seal_checkpoint()
    sent = ledger.a_sent(cast, agent_says=ledger.a_payload("please", "agent_says"))
    with transaction.atomic():
        transitions.succeed(
            ticket_id=sent.pk,
            fence=sent.fence,
            result_payload_id=ledger.a_payload("{}", "result").pk,
            actor="system:worker:w1",
        )
    lost = ledger.a_sent(cast)
    with transaction.atomic():
        transitions.unknown(
            ticket_id=lost.pk, fence=lost.fence, reason=UnknownReason.EOF, actor="system:worker:w1"
        )
        transitions.annotate(
            ticket_id=lost.pk, payload_id=ledger.a_payload("it ran").pk, actor="person:x"
        )
    ledger.reject(ledger.a_pending(cast), cast.carol)
    gone = ledger.a_pending(cast, waiting="held", holder=ledger.a_holder())
    with transaction.atomic():
        transitions.cancel(ticket_id=gone.pk, reason=CancelReason.WITHDRAWN, actor=ledger.AGENT)
    purge(gone.arguments_id, actor="system:retention")
    ledger.a_claimed(cast)
    seal_checkpoint()
    return cast


def test_an_untouched_record_adds_up(db):
    a_story()
    assert verify() == []
    call_command("verify_audit")
