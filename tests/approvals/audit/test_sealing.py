"""Payloads: sealed at rest, bound to their row, purged for good."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from approvals.audit.sealing import (
    PayloadPurged,
    SealBroken,
    commitment,
    purge,
    purge_older_than,
    seal,
    unseal,
)
from approvals.audit.verification import verify
from approvals.models import AuditEvent, Payload
from tests.support import ledger

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]
WORDS = b'{"message":"a secret of the agent"}'


def stored(payload):
    return Payload.objects.get(pk=payload.pk)


@pytest.mark.parametrize("data", [b"", WORDS, b"\x00" * 100_000])
def test_a_payload_comes_back_as_the_exact_bytes(data):
    payload = stored(seal("arguments", data))
    assert unseal(payload) == data
    assert payload.size == len(data)


def test_nothing_plain_is_stored_and_equal_bytes_look_different():
    first, second = seal("arguments", WORDS), seal("arguments", WORDS)
    assert b"secret" not in bytes(stored(first).ciphertext)
    assert bytes(first.ciphertext) != bytes(second.ciphertext)
    assert bytes(first.commitment) != bytes(second.commitment)
    assert bytes(first.commitment) == commitment(bytes(first.salt), WORDS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "result"),
        ("size", 1),
        ("commitment", b"c" * 32),
        ("salt", b"s" * 32),
        ("nonce", b"n" * 12),
        ("ciphertext", b"x" * 60),
        ("ciphertext", None),
        ("key_id", "unknown"),
        ("created_at", timezone.now()),
    ],
)
def test_a_payload_with_any_other_column_does_not_open(column, value):
    payload = stored(seal("arguments", WORDS))
    setattr(payload, column, value)
    with pytest.raises(SealBroken):
        unseal(payload)


def test_a_payload_does_not_open_in_the_place_of_another():
    one, other = stored(seal("arguments", WORDS)), stored(seal("arguments", WORDS))
    other.nonce, other.salt, other.ciphertext = one.nonce, one.salt, one.ciphertext
    other.commitment = one.commitment
    with pytest.raises(SealBroken):
        unseal(other)


def test_an_older_key_still_opens_and_the_first_one_seals(settings):
    old = seal("arguments", WORDS)
    settings.APPROVALS_SEALING_KEYS = {"new": b"k" * 32, **settings.APPROVALS_SEALING_KEYS}
    assert unseal(stored(old)) == WORDS
    assert seal("arguments", WORDS).key_id == "new"


@pytest.mark.parametrize("keys", [{}, None, {"short": b"k"}, {"text": "k" * 32}])
def test_without_a_proper_key_nothing_is_sealed(settings, keys):
    settings.APPROVALS_SEALING_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="APPROVALS_SEALING_KEYS"):
        seal("arguments", WORDS)


def test_what_was_purged_is_gone_and_the_purge_is_on_record():
    payload = seal("arguments", WORDS)
    assert purge(payload.pk, actor="system:retention")
    assert not purge(payload.pk, actor="system:retention")
    left = stored(payload)
    assert (left.nonce, left.salt, left.ciphertext) == (None, None, None)
    with pytest.raises(PayloadPurged):
        unseal(left)
    event = AuditEvent.objects.get(subject=f"payload:{payload.pk}")
    assert (event.actor, event.action) == ("system:retention", "purged")
    assert verify() == []


def test_retention_purges_what_is_old_and_leaves_what_an_open_ticket_needs():
    cast = ledger.a_cast()
    open_ticket = ledger.a_pending(cast)
    over = ledger.reject(ledger.a_pending(cast), cast.bob)
    young = ledger.a_payload()
    assert purge_older_than(days=1) == 0
    assert purge_older_than(days=-1) == 2  # as if a day had passed: `over` and `young`
    kept = {payload.pk for payload in Payload.objects.filter(purged_at=None)}
    assert kept == {open_ticket.arguments_id}
    assert {over.arguments_id, young.pk}.isdisjoint(kept)
    assert verify() == []


def test_the_command_purges_everything_that_is_due(capsys, monkeypatch):
    for _ in range(3):
        ledger.a_payload()
    call_command("purge_payloads", days=-1)
    assert "Purged 3 payloads" in capsys.readouterr().out
    assert not Payload.objects.filter(purged_at=None).exists()


def test_a_purge_whose_audit_row_cannot_be_written_did_not_happen(monkeypatch):
    payload = seal("arguments", WORDS)

    def full(**arguments):
        raise RuntimeError("the audit table takes no rows")

    monkeypatch.setattr("approvals.audit.sealing.append", full)
    with pytest.raises(RuntimeError), transaction.atomic():
        purge(payload.pk, actor="system:retention")
    assert unseal(stored(payload)) == WORDS
