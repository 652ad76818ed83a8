"""The ledger's named refusals.

A refusal's docstring is its message; `code` is stable and meant for programs; `kind` says what
sort of refusal it is, so that any face can render it without a list of classes. Knows neither
HTTP nor MCP.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from approvals.domain.wording import say

type Kind = Literal["conflict", "forbidden", "invalid", "unavailable", "broken"]


class Refusal(Exception):
    """The request was refused."""

    kind: ClassVar[Kind] = "conflict"
    code: ClassVar[str] = "refusal"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if not cls.__doc__:
            raise TypeError(f"{cls.__name__} needs a docstring: it is the message people read")

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or say(" ".join((type(self).__doc__ or "").split()))
        self.details = details
        super().__init__(self.message)


# -- deciding -------------------------------------------------------------------------------


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


class StepUpRequired(Refusal):
    """This approval needs you in person: confirm it with your passkey."""

    kind = "invalid"


class StepUpUnneeded(Refusal):
    """This ticket asks for no passkey. Look at it again, then decide."""


class NoPasskey(Refusal):
    """You have no passkey that could confirm this approval. Add one to your account first."""

    kind = "invalid"


class PromptOver(Refusal):
    """The passkey's question was answered before, or too late. Approve again to be asked anew."""

    kind = "invalid"


class PasskeyUnknown(Refusal):
    """This passkey does not belong to your account, or not any more."""

    kind = "invalid"


class PasskeyUnverified(Refusal):
    """The passkey did not check that it is you (fingerprint, face or PIN)."""

    kind = "invalid"


class PasskeyWrong(Refusal):
    """The passkey's answer does not prove this approval. Nothing was decided."""

    kind = "invalid"


class CodeWrong(Refusal):
    """This code is not right, or was used before. Wait for the next one."""

    kind = "invalid"


class TooManyCodes(Refusal):
    """Too many wrong codes. Wait five minutes, or use a passkey."""

    kind = "invalid"


class TargetNotTyped(Refusal):
    """Type the name of what this call acts on, exactly as it is shown."""

    kind = "invalid"


class ReasonTooLong(Refusal):
    """The reason is too long."""

    kind = "invalid"


class CutFieldsUnopened(Refusal):
    """Some values were shown cut. Open each of them before approving."""

    kind = "invalid"


class RevokeTooLate(Refusal):
    """The call has already been sent, so its approval can no longer be revoked."""


# -- editing, talking, passing on -------------------------------------------------------------


class NotEditable(Refusal):
    """The arguments of this ticket cannot be edited. Reject it and have it submitted anew."""


class OwnerMayNotEdit(Refusal):
    """This agent belongs to you, so somebody else has to edit its calls."""

    kind = "forbidden"


class ArgumentsUnreadable(Refusal):
    """These arguments cannot be read."""

    kind = "invalid"


class ArgumentsUnfit(Refusal):
    """These arguments do not fit the tool's schema."""

    kind = "invalid"


class NothingChanged(Refusal):
    """These are the arguments as they were, so there is nothing to change."""

    kind = "invalid"


class TooManyEdits(Refusal):
    """This ticket was edited as often as it may be. Reject it and have it submitted anew."""


class WordsMissing(Refusal):
    """Write something first."""

    kind = "invalid"


class TooManyRemarks(Refusal):
    """This ticket carries as many remarks as it may."""


class NotAsked(Refusal):
    """This question was put to somebody else."""

    kind = "forbidden"


class AlreadyAnswered(Refusal):
    """This question is already answered."""


class NobodyToHandTo(Refusal):
    """Choose somebody else who may approve this ticket, or another group that is asked."""

    kind = "invalid"


class SnoozeTooLong(Refusal):
    """A ticket can only be put away until a time before its deadline."""

    kind = "invalid"


# -- being away -----------------------------------------------------------------------------


class AbsenceInvalid(Refusal):
    """This absence makes no sense as it stands."""

    kind = "invalid"


class AbsenceOverlaps(Refusal):
    """You are already away during a part of that time. End that absence first."""


class StandInUnfit(Refusal):
    """Only a reviewer of your own team who can sign in may stand in for you."""

    kind = "invalid"


# -- submitting -----------------------------------------------------------------------------


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


# -- state, gate and execution --------------------------------------------------------------


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


class LocalityUnknown(Refusal):
    """Choose one of the languages and time zones of the list."""

    kind = "invalid"


class EvidenceRequired(Refusal):
    """Say what happened and how you know."""

    kind = "invalid"


class AuditBroken(Refusal):
    """The audit record does not add up, so nothing more is written to it."""

    kind = "broken"


class ChannelRefused(Refusal):
    """This cannot be a way to tell anybody."""

    kind = "invalid"
