"""What a purge leaves of a ticket gives its arguments away to nobody."""

from __future__ import annotations

import pytest

from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import purge
from approvals.domain.canonical import ticket_digest
from tests.support.builders import a_cast, a_ticket

pytestmark = pytest.mark.django_db


def test_a_purged_ticket_cannot_be_guessed_against():
    walk = a_ticket(a_cast(), arguments=b'{"pin":"1234"}').pending()
    before = walk.ticket
    assert ticket_digest(ticket_binding(before, b'{"pin":"1234"}')) == bytes(before.digest)

    purge(before.arguments_id, actor="system:retention")
    after = type(before).objects.select_related("arguments").get(pk=before.pk)

    assert ticket_digest(ticket_binding(after, b'{"pin":"1234"}')) != bytes(after.digest)
