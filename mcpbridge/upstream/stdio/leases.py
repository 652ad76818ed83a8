"""Leases of stdio servers as database rows: one host per upstream and scope, by the row's fence.

Every step is one guarded statement by the database's clock. A fence only ever grows; whoever holds
an older one has lost, whatever it believes.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from mcpbridge.models import StdioLease
from mcpbridge.offload import in_database
from mcpbridge.upstream.stdio.keeper import Status


class DatabaseLeases:
    """The lease store of one host. `host` names it to people: machine, process, random part."""

    def __init__(self, host: str, *, lease_seconds: float) -> None:
        self._host = host
        self._lease = timedelta(seconds=lease_seconds)

    async def acquire(self, *, upstream_id: str, scope: str) -> int | None:
        """Take a free or lapsed lease and return its new fence; None while another has it."""
        return await in_database(self._acquire, upstream_id, scope)

    async def renew(self, *, upstream_id: str, scope: str, fence: int, status: Status) -> bool:
        """Extend the lease and write what an admin should see; False when it is lost."""
        return await in_database(self._renew, upstream_id, scope, fence, status)

    async def release(self, *, upstream_id: str, scope: str, fence: int) -> None:
        """Let the lease lapse now; the fence stays, so that it can only grow."""
        await in_database(self._release, upstream_id, scope, fence)

    def _until(self) -> Combinable:
        return ExpressionWrapper(Now() + Value(self._lease), output_field=DateTimeField())

    def _acquire(self, upstream_id: str, scope: str) -> int | None:
        with transaction.atomic():
            StdioLease.objects.bulk_create(
                [
                    StdioLease(
                        upstream_id=upstream_id,
                        scope=scope,
                        host="",
                        fence=0,
                        expires_at=Now() - Value(timedelta(seconds=1)),
                    )
                ],
                ignore_conflicts=True,
            )
            lapsed = StdioLease.objects.filter(
                upstream_id=upstream_id, scope=scope, expires_at__lte=Now()
            )
            taken = lapsed.update(
                host=self._host,
                fence=F("fence") + 1,
                expires_at=self._until(),
                state="idle",
                last_error="",
            )
            if not taken:
                return None
            return StdioLease.objects.values_list("fence", flat=True).get(
                upstream_id=upstream_id, scope=scope, host=self._host
            )

    def _renew(self, upstream_id: str, scope: str, fence: int, status: Status) -> bool:
        renewed = StdioLease.objects.filter(
            upstream_id=upstream_id,
            scope=scope,
            fence=fence,
            host=self._host,
            expires_at__gt=Now(),
        ).update(
            expires_at=self._until(),
            state=status.state,
            sandbox_label=status.sandbox_label,
            last_error=status.last_error,
        )
        return renewed == 1

    def _release(self, upstream_id: str, scope: str, fence: int) -> None:
        StdioLease.objects.filter(
            upstream_id=upstream_id, scope=scope, fence=fence, host=self._host
        ).update(expires_at=Now(), state="idle")
