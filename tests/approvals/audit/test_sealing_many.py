"""Sealing the payloads of a group of calls by one statement."""

import pytest
from django.db import transaction

from approvals.audit.sealing import seal, seal_all, unseal
from approvals.models import Payload

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]


def test_payloads_sealed_together_open_like_those_sealed_alone():
    many = [b"{}", b'{"text":"\xc3\xa4"}', b"\x00\xff"]
    with transaction.atomic():
        keys = [payload.pk for payload in seal_all("arguments", many)]
    stored = {payload.pk: payload for payload in Payload.objects.all()}
    assert [unseal(stored[key]) for key in keys] == many
    alone = seal("arguments", b"{}")
    assert bytes(alone.commitment) != bytes(stored[keys[0]].commitment)  # salted


def test_sealing_nothing_stores_nothing():
    assert seal_all("arguments", []) == []
    assert not Payload.objects.exists()
