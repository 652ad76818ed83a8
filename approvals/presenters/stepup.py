"""What a high-risk ticket asks of whoever approves it: a passkey, a code, a name typed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.obligations import Obligations
from approvals.domain.stepup import MAX_TYPED, StepUp
from approvals.models import Ticket
from approvals.presenters.posted import Posted

PASSKEY_CODES: Final = (
    "step_up_required", "no_passkey", "prompt_over", "passkey_unknown", "passkey_unverified",
    "passkey_wrong",
)  # fmt: skip
CODE_CODES: Final = ("code_wrong", "too_many_codes")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpPart:
    """The part of the panel above the verb that approves."""

    offer_url: str
    passkey: bool  # a passkey is asked for, or may be used
    code: bool  # a code from an app may stand in for it
    has_passkey: bool
    has_app: bool
    name: InspectedText | None  # what to type
    typed: str
    most: int = MAX_TYPED
    passkey_error: str = ""
    code_error: str = ""
    name_error: str = ""


def present_step_up(
    ticket: Ticket,
    *,
    obligations: Obligations,
    has_passkey: bool,
    has_app: bool,
    name: str,
    typed: str,
    posted: Posted,
) -> StepUpPart | None:
    """The part for one person; None where the ticket asks for nothing of the kind."""
    asked = obligations.step_up is not StepUp.NONE
    if not asked and not obligations.type_target:
        return None
    return StepUpPart(
        offer_url=reverse("approvals:step-up", args=[ticket.uid]),
        passkey=asked,
        code=obligations.step_up is StepUp.PASSKEY_OR_TOTP,
        has_passkey=has_passkey,
        has_app=has_app,
        name=inspect(name, identifier_like=True) if obligations.type_target else None,
        typed=typed,
        passkey_error=posted.says(*PASSKEY_CODES),
        code_error=posted.says(*CODE_CODES),
        name_error=posted.says("target_not_typed"),
    )
