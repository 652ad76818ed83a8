"""The audit record under concurrency: chains without gaps, one sealer at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from approvals.audit import append, sealed_verification, verification
from approvals.audit.checkpoints import seal_checkpoint
from approvals.audit.verification import verify
from approvals.models import AuditEvent, Checkpoint, CheckpointLeaf
from tests.support import ledger
from tests.support.racing import WON, race

pytestmark = [pytest.mark.both_engines, pytest.mark.timeout(300)]


def test_a_chain_that_many_write_to_has_no_gap_and_no_fork(cast):
    def write(number):
        with transaction.atomic():
            append(subject="policy", actor="person:x", action="looked", detail={"n": number})

    results = race(range(50), [write] * 4)
    assert {outcome for result in results for outcome in result} == {WON}
    seqs = AuditEvent.objects.filter(subject="policy").order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(1, 201))
    assert verify() == []


def test_any_number_of_sealers_cover_every_row_exactly_once(cast):
    def open_one(_):
        ledger.a_pending(cast)

    def seal(_):
        seal_checkpoint()

    race(range(20), [open_one, seal, seal, seal])
    seal_checkpoint()
    assert seal_checkpoint() is None
    assert CheckpointLeaf.objects.count() == AuditEvent.objects.count()
    assert list(Checkpoint.objects.order_by("pk").values_list("pk", flat=True)) == list(
        range(1, Checkpoint.objects.count() + 1)
    )
    assert verify() == []


def open_another_and_seal(cast, _ticket):
    ledger.a_pending(cast)
    seal_checkpoint()


def approve(cast, ticket):
    ledger.approve(ticket, cast.bob)


@pytest.mark.parametrize(
    ("module", "step", "write"),
    [
        (sealed_verification, "_signed", open_another_and_seal),
        (verification, "_against_rows", approve),
    ],
)
def test_a_record_that_is_written_to_while_it_is_verified_adds_up(
    cast, monkeypatch, module, step, write
):
    ticket = ledger.a_pending(cast)
    seal_checkpoint()
    written = []

    def in_a_thread_of_its_own():
        write(cast, ticket)
        connection.close()

    original = getattr(module, step)

    def after_somebody_wrote(*args):
        if not written:
            with ThreadPoolExecutor(1) as pool:
                written.append(pool.submit(in_a_thread_of_its_own).result(30))
        return original(*args)

    before = AuditEvent.objects.count()
    monkeypatch.setattr(module, step, after_somebody_wrote)
    assert verify() == []
    assert AuditEvent.objects.count() > before
