"""Whole walks of a ticket through the state machine, and the audit rows they leave."""

import pytest
from django.db import transaction

from approvals import transitions
from approvals.domain.states import State
from approvals.models import AuditEvent
from tests.support import ledger

pytestmark = pytest.mark.both_engines


def test_a_ticket_walks_from_pending_to_succeeded_with_one_audit_row_per_write(db):
    cast = ledger.a_cast()
    ticket = ledger.a_sent(cast)
    with transaction.atomic():
        done = transitions.succeed(
            ticket_id=ticket.pk,
            fence=ticket.fence,
            result_payload_id=ledger.a_payload("{}", "result").pk,
            actor="system:worker:w1",
        )
    assert done.state == State.SUCCEEDED
    chain = AuditEvent.objects.filter(subject=f"ticket:{ticket.uid}").order_by("seq")
    assert [event.action for event in chain] == [
        "opened", "voted", "approved", "claimed", "sent", "succeeded",
    ]  # fmt: skip
    assert [event.seq for event in chain] == list(range(1, done.version + 1))
