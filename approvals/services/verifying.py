"""Verifying the whole record because somebody asked: a row asks for it, any worker does it.

It may take minutes, so no request waits for it. While it runs its worker renews a lease; one that
ended without a result is over when the lease is, and is not begun again by itself. The row is
written outside the snapshot that is verified, and is no part of the record.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import transaction

from approvals.audit.verification import verify
from approvals.domain.errors import NotVisible
from approvals.domain.inspection import one_line
from approvals.models import DatabaseNow, User, Verification, after_seconds
from approvals.selectors.visibility import sees_everything

logger = logging.getLogger(__name__)

LEASE_SECONDS: Final = 60.0
RENEW_EVERY: Final = 15.0  # seconds
FIRST: Final = 20  # breaks that are kept in words
LINE: Final = 500  # characters of each

_lock = threading.Lock()
_running_here: set[int] = set()


def ask_to_verify(*, user: User) -> None:
    """Ask for a verification, unless one is asked for or runs already. Raises NotVisible."""
    if not (user.is_active and sees_everything(user.person)):
        raise NotVisible
    with transaction.atomic(durable=True):
        end_lost()
        Verification.objects.bulk_create(
            [Verification(asked_by_id=user.person_id)], ignore_conflicts=True
        )


def verify_if_asked() -> bool:
    """Do what somebody asked for, if no worker has begun it; whether there was something to do."""
    waiting = Verification.objects.filter(over=False, begun_at__isnull=True)
    key = waiting.values_list("pk", flat=True).first()
    if key is None:
        return False
    begun = {"begun_at": DatabaseNow(), "lease_until": after_seconds(LEASE_SECONDS)}
    if not waiting.filter(pk=key).update(**begun):
        return False
    with _lock:
        _running_here.add(key)
    try:
        found = verify()
    except Exception:
        _end(key)
        logger.exception("Verification %s was broken off.", key)
    else:
        words = [one_line(str(each), limit=LINE) for each in found[:FIRST]]
        _end(key, breaks=len(found), first=words)
    finally:
        with _lock:
            _running_here.discard(key)
    return True


def renew() -> None:
    """Renew the lease of what this process verifies, and end what vanished with another."""
    with _lock:
        mine = list(_running_here)
    if mine:
        running = Verification.objects.filter(pk__in=mine, over=False)
        running.update(lease_until=after_seconds(LEASE_SECONDS))
    if Verification.objects.filter(over=False, lease_until__lte=DatabaseNow()).exists():
        end_lost()


def end_lost() -> None:
    """End what nobody renewed any more. Joins."""
    lost = Verification.objects.filter(over=False, lease_until__lte=DatabaseNow())
    lost.update(over=True, ended_at=DatabaseNow())


def _end(key: int, **found: object) -> None:
    """Write down what a run found; one that counted as lost meanwhile stays lost."""
    running = Verification.objects.filter(pk=key, over=False)
    running.update(over=True, ended_at=DatabaseNow(), **found)
