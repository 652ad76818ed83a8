"""Submitting calls and publishing the policy that judges them."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


class TooManyOpenTickets(Refusal):
    """This agent already has as many open tickets as it may have."""


class AgentPaused(Refusal):
    """People have paused this agent: none of its calls is put before them until it is resumed."""

    kind = "forbidden"


class IdempotencyKeyReused(Refusal):
    """This idempotency key was used with other arguments."""

    kind = "invalid"


class PolicyDenied(Refusal):
    """Policy does not allow this call."""

    kind = "forbidden"


class PolicyInvalid(Refusal):
    """This policy cannot be read."""

    kind = "invalid"


class QuorumUnreachable(Refusal):
    """Fewer people may approve than this rule asks for."""

    kind = "invalid"


class PolicyMoved(Refusal):
    """Another policy came into force meanwhile. Look at it, then publish again."""


class ObligationsConflict(Refusal):
    """The edited call is for other reviewers. Reject it and have it submitted anew."""


class AgentNotLive(Refusal):
    """This agent is disabled, or its token is revoked or expired."""

    kind = "forbidden"


class NotVisible(Refusal):
    """There is no such ticket, or you may not see it."""

    kind = "forbidden"
