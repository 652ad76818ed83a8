"""A ticket's state, the gate, execution and the record of it."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


class KillSwitchOn(Refusal):
    """The kill switch is on: nothing is approved, claimed or sent."""

    kind = "unavailable"


class StaleState(Refusal):
    """Somebody else changed this ticket first."""


class IllegalTransition(Refusal):
    """A ticket cannot go from this state to that one."""


class AuthorityChanged(Refusal):
    """Policy, pins, upstreams or revocations changed meanwhile. Judge the call again."""


class ApprovalNotLive(Refusal):
    """The approval was revoked, or its time to execute is over."""


class FenceLost(Refusal):
    """Another executor holds this ticket now."""


class LeaseLost(Refusal):
    """The lease on this ticket ran out."""


class DigestMismatch(Refusal):
    """What is about to be sent is not what was approved."""


class AttemptsExhausted(Refusal):
    """This call has been attempted as often as it may be."""


class NotAnnotatable(Refusal):
    """Only a ticket whose outcome is unknown takes a note of what really happened."""


class EvidenceRequired(Refusal):
    """Say what happened and how you know."""

    kind = "invalid"


class AuditBroken(Refusal):
    """The audit record does not add up, so nothing more is written to it."""

    kind = "broken"
