"""The form that records what really happened to a call whose outcome is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext

from approvals.models import Ticket
from approvals.presenters.choices import Choice
from approvals.presenters.posted import Posted

EVIDENCE_CHARS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """The form that records what became of a call whose outcome is unknown."""

    url: str
    choices: tuple[Choice, ...]
    evidence: str = ""
    limit: int = EVIDENCE_CHARS
    choice_error: str = ""
    evidence_error: str = ""


def present_annotate(ticket: Ticket, posted: Posted) -> Annotate:
    """The form, with what was typed into it before."""
    choices = (
        ("yes", gettext("It ran"), gettext("what it does is done, once")),
        ("no", gettext("It did not run"), gettext("nothing of it can be found there")),
        (
            "unclear",
            gettext("It ran differently, or it cannot be told"),
            gettext("say below what you found"),
        ),
    )
    return Annotate(
        url=reverse("approvals:annotate", args=[ticket.uid]),
        choices=tuple(
            Choice(value=value, words=words, hint=hint, chosen=posted.ran == value)
            for value, words, hint in choices
        ),
        evidence=posted.evidence,
        choice_error=gettext("Choose one.") if posted.refusal and not posted.ran else "",
        evidence_error=posted.says("evidence_required", "reason_too_long"),
    )
