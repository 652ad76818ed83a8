"""Rows by plain statements read exactly as the ORM reads them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from approvals.models import Ticket, plain
from tests.support import ledger

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]


def columns(ticket: Ticket) -> dict[str, Any]:
    found = {
        field.attname: getattr(ticket, field.attname) for field in Ticket._meta.concrete_fields
    }
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in found.items()
    }


def test_what_an_insert_returns_and_a_read_finds_is_what_the_orm_finds() -> None:
    unsaved = ledger.an_unsaved_ticket(ledger.a_cast())
    unsaved.state = "pending"
    with transaction.atomic():
        stored, now = plain.insert(unsaved)
    found, later = plain.read(Ticket, stored.pk)

    assert columns(stored) == columns(found) == columns(Ticket.objects.get(pk=stored.pk))
    assert stored.created_at <= now <= later
    assert stored.approval_expires_at > now
    assert not stored._state.adding


def test_a_row_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(Ticket.DoesNotExist):
        plain.read(Ticket, 4711)


def test_nothing_is_inserted_for_nothing() -> None:
    plain.insert_all([])
