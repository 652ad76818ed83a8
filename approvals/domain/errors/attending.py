"""Around a decision: editing, talking, passing on, putting away and being away."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


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


class AbsenceInvalid(Refusal):
    """This absence makes no sense as it stands."""

    kind = "invalid"


class AbsenceOverlaps(Refusal):
    """You are already away during a part of that time. End that absence first."""


class StandInUnfit(Refusal):
    """Only a reviewer of your own team who can sign in may stand in for you."""

    kind = "invalid"
