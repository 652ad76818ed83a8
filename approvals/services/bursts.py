"""Rejecting a burst: the agent is paused first, so that nothing more comes, then each is decided.

Each ticket is rejected by a vote of its own, with its own audit row, in a transaction of its own;
a large burst takes several acts, and each says how much is left. What was opened after a person
looked is left as well: it is for another look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from approvals.domain.errors import Refusal
from approvals.domain.quorum import Answer
from approvals.models import User
from approvals.selectors.bursts import open_calls
from approvals.selectors.readers import reviewer
from approvals.services.ballots import words_of
from approvals.services.pausing import pause_agent
from approvals.services.voting import decide

AT_ONCE: Final = 100  # tickets in one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What came of it: how many were rejected, how many could not be, and how many are left."""

    rejected: int
    refused: int
    left: int
    why: str = ""  # the first refusal


def reject_and_pause(
    *,
    agent_id: UUID,
    upstream_id: UUID | None,
    tool_name: str,
    up_to: int,
    user: User,
    reason: str,
    nonce: str,
) -> Cleared:
    """Pause the agent and reject its open calls (of one tool, or of all), oldest first.

    `up_to` is the key of the newest ticket that the person was shown; none above it is touched.
    Sending it again with the same nonce decides nothing twice. Raises NotVisible, NotEligible,
    ReasonTooLong (then nothing was done).
    """
    words_of(reason)
    pause_agent(agent_id=agent_id, user=user)
    calls = open_calls(
        reviewer(user.person, one_person=False),
        agent_id=agent_id,
        upstream_id=upstream_id,
        tool_name=tool_name,
    )
    rejected, refusals = 0, []
    shown = calls.filter(pk__lte=up_to)
    for uid, digest in list(shown.values_list("uid", "digest")[:AT_ONCE]):
        try:
            decide(
                uid=uid,
                user=user,
                verdict=Answer.REJECT,
                seen_digest=bytes(digest),
                reason=reason,
                nonce=nonce,
            )
        except Refusal as refusal:
            refusals.append(refusal)
        else:
            rejected += 1
    return Cleared(
        rejected=rejected,
        refused=len(refusals),
        left=calls.count(),
        why=refusals[0].message if refusals else "",
    )
