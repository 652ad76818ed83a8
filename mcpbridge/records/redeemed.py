"""States that clients handed back: each is used once, whichever process it is shown to.

A row with the state's id is the proof; of two transactions that write the same one, only one
commits. Knows nothing of what a state says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from mcpbridge.models import RedeemedState

_KEPT_LONGER: Final = timedelta(hours=1)  # the clocks of processes differ


def redeem(state_id: UUID, *, expires_at: datetime) -> bool:
    """Use a state up, in the caller's transaction; False when it was used before.

    When that transaction is rolled back, the state is as good as before.
    """
    try:
        with transaction.atomic():
            RedeemedState.objects.create(id=state_id, expires_at=expires_at)
    except IntegrityError:
        return False
    return True


def forget_redeemed() -> int:
    """Delete the rows of states that nobody could use any more; how many."""
    gone, _by_model = RedeemedState.objects.filter(
        expires_at__lt=datetime.now(UTC) - _KEPT_LONGER
    ).delete()
    return gone
