"""Leases of stdio servers: one host at a time, by the row's fence and the database's clock."""

from __future__ import annotations

import pytest

from mcpbridge.models import StdioLease, Upstream
from mcpbridge.upstream.stdio.keeper import Status
from mcpbridge.upstream.stdio.leases import DatabaseLeases

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

RUNNING = Status(state="running", sandbox_label="bubblewrap", last_error="")


@pytest.fixture
def upstream() -> str:
    row = Upstream.objects.create(
        name="git", transport="stdio", command=["true"], config_digest=b"x" * 32
    )
    return str(row.id)


def test_the_second_host_gets_nothing_while_the_lease_lives(upstream):
    first = DatabaseLeases("first", lease_seconds=60)
    second = DatabaseLeases("second", lease_seconds=60)
    assert first._acquire(upstream, "shared") == 1
    assert second._acquire(upstream, "shared") is None
    assert second._acquire(upstream, "agent-1") == 1


def test_a_lapsed_lease_goes_to_the_next_with_a_larger_fence_and_the_old_holder_has_lost(
    upstream,
):
    first = DatabaseLeases("first", lease_seconds=-1)
    second = DatabaseLeases("second", lease_seconds=60)
    assert first._acquire(upstream, "shared") == 1
    assert not first._renew(upstream, "shared", 1, RUNNING)
    assert second._acquire(upstream, "shared") == 2
    assert not first._renew(upstream, "shared", 1, RUNNING)
    assert not first._renew(upstream, "shared", 2, RUNNING)
    first._release(upstream, "shared", 2)
    assert second._renew(upstream, "shared", 2, RUNNING)


def test_a_renewal_writes_what_the_admin_sees(upstream):
    leases = DatabaseLeases("first", lease_seconds=60)
    fence = leases._acquire(upstream, "shared")
    before = StdioLease.objects.get().expires_at
    assert leases._renew(upstream, "shared", fence, RUNNING)
    row = StdioLease.objects.get()
    assert (row.state, row.sandbox_label, row.host) == ("running", "bubblewrap", "first")
    assert row.expires_at >= before


def test_a_released_lease_is_free_at_once_and_its_fence_still_grows(upstream):
    first = DatabaseLeases("first", lease_seconds=60)
    second = DatabaseLeases("second", lease_seconds=60)
    first._release(upstream, "shared", first._acquire(upstream, "shared"))
    assert second._acquire(upstream, "shared") == 2
