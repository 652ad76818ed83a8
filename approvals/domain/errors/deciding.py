"""Deciding: who may vote, on what they saw, and with what their vote has to carry."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


class AlreadyDecided(Refusal):
    """This ticket has already been decided."""


class StaleDigest(Refusal):
    """The ticket changed after you saw it. Look at it again, then decide."""


class Expired(Refusal):
    """The time to decide on this ticket is over."""


class NotEligible(Refusal):
    """You are not a member of a group that decides on this ticket."""

    kind = "forbidden"


class OwnerMayNotApprove(Refusal):
    """This agent belongs to you, so somebody else has to approve its calls."""

    kind = "forbidden"


class FourEyes(Refusal):
    """You submitted or edited this call, so somebody else has to approve it."""

    kind = "forbidden"


class StandInBarred(Refusal):
    """The person you stand in for may not approve this call, so nor may you in their place."""

    kind = "forbidden"


class StandInNotNeeded(Refusal):
    """The person you stand in for has voted, or somebody has in their place."""


class AlreadyVoted(Refusal):
    """You have already voted on this ticket. Withdraw that vote first."""


class NoVoteToWithdraw(Refusal):
    """You have no vote on this ticket that could be withdrawn."""


class ReasonRequired(Refusal):
    """This decision needs a reason."""

    kind = "invalid"


class AnswerMissing(Refusal):
    """This ticket asks for an answer. Fill in its form to approve."""

    kind = "invalid"


class AnswerUnfit(Refusal):
    """The answer does not fit what was asked."""

    kind = "invalid"


class ReasonTooLong(Refusal):
    """The reason is too long."""

    kind = "invalid"


class CutFieldsUnopened(Refusal):
    """Some values were shown cut. Open each of them before approving."""

    kind = "invalid"


class RevokeTooLate(Refusal):
    """The call has already been sent, so its approval can no longer be revoked."""
