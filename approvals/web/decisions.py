"""What people do to a ticket: vote, take a vote back, revoke, cancel, record an unknown outcome.

Each view parses, calls one service and shows the ticket as it is afterwards. A refusal shows it
too, with the refusal first and everything that was typed still there: 409 when something changed
meanwhile, 422 when something is missing, 403 when it is not this person's to decide, 500 when the
record itself is broken, which no reviewer can mend.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.canonical import JSON
from approvals.domain.errors import AnswerUnfit, AuditBroken, Refusal, StaleDigest, StaleState
from approvals.domain.form_answers import AnswerInvalid
from approvals.domain.form_answers import typed as read_typed
from approvals.domain.forms import Field, form_of
from approvals.domain.quorum import Answer
from approvals.domain.states import State
from approvals.models import Ticket, User
from approvals.presenters.answers import posted_answers
from approvals.presenters.asking import Note
from approvals.presenters.posted import Posted
from approvals.presenters.sealed import open_json
from approvals.presenters.words import told
from approvals.services import decisions
from approvals.web import opened as opening
from approvals.web.access import is_part, reviewer_page
from approvals.web.posted import STATUS, FormIncomplete, digest_in, nonce_in, require_seen
from approvals.web.reading import visible_ticket
from approvals.web.stepup import presented_in
from approvals.web.tickets import ticket_page

logger = logging.getLogger(__name__)

PART: Final = "X-Placet-Part"
FOUND: Final = {"yes": True, "no": False, "unclear": None}


class FindingMissing(Refusal):
    """Say what you found: whether it ran, did not run, or cannot be told."""

    kind = "invalid"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def decide(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Approve or reject."""
    found = visible_ticket(user, uid)
    form = form_of(open_json(found.tool_definition))
    posted = Posted(
        reason=request.POST.get("reason", ""),
        typed=posted_answers(form, dict(request.POST.lists())) if form else None,
    )
    opened = opening.opened_in(
        request.POST.get("opened", ""), user_id=user.pk, digest=bytes(found.digest)
    )

    def act() -> str:
        answer = _answer(request)
        if answer is Answer.APPROVE:
            require_seen(found, opened)
        typed = _typed(form, posted) if answer is Answer.APPROVE and form else None
        decided = decisions.decide(
            uid=uid,
            user=user,
            verdict=answer,
            seen_digest=digest_in(request),
            reason=posted.reason,
            nonce=nonce_in(request),
            typed=typed,
            presented=presented_in(request),
        )
        if decided.kind == "repeated" and decided.ticket.state is State.PENDING:
            return gettext("This was sent before. Below is how it stands now.")
        if decided.kind == "canary":
            return gettext("Ticket {number} was a test.").format(number=found.pk)
        if decided.kind == "counted":
            return gettext(
                "Your approval of ticket {number} counts. More people have to agree."
            ).format(number=found.pk)
        if answer is Answer.APPROVE:
            return gettext("You approved ticket {number}.").format(number=found.pk)
        return gettext("You rejected ticket {number}.").format(number=found.pk)

    return answered(request, user, uid, act, posted=posted, opened=opened)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def withdraw(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Take one's vote back."""

    def act() -> str:
        decisions.withdraw_vote(uid=uid, user=user, nonce=nonce_in(request))
        return gettext("Your vote is taken back.")

    return answered(request, user, uid, act)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def revoke(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Revoke an approval before the call is sent."""

    def act() -> str:
        decisions.revoke_approval(uid=uid, user=user)
        return gettext("The approval is revoked; nothing was sent.")

    return answered(request, user, uid, act)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def cancel(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Call a ticket off, or ask the upstream to stop what was sent."""

    def act() -> str:
        view = decisions.cancel_by_person(uid=uid, user=user)
        return (
            gettext("It is asked to stop.")
            if view.abort_requested
            else gettext("The call is cancelled.")
        )

    return answered(request, user, uid, act)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def annotate(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Record what really happened to a call whose outcome is unknown."""
    choice = request.POST.get("ran", "")
    posted = Posted(
        evidence=request.POST.get("evidence", ""), ran=choice if choice in FOUND else ""
    )

    def act() -> str:
        if posted.ran not in FOUND:
            raise FindingMissing
        decisions.annotate_unknown(
            uid=uid, user=user, ran=FOUND[posted.ran], evidence=posted.evidence
        )
        return gettext("Recorded under your name.")

    return answered(request, user, uid, act, posted=posted)


def answered(
    request: HttpRequest,
    user: User,
    uid: UUID,
    act: Callable[[], str],
    *,
    posted: Posted | None = None,
    opened: frozenset[str] = frozenset(),
    decides: bool = True,
) -> HttpResponse:
    """Act on a POST and show the ticket as it then is; anything else only leads to its page."""
    visible_ticket(user, uid)  # hidden and absent tickets answer alike, whatever is posted
    if request.method != "POST":
        return redirect("approvals:ticket", uid=uid)
    try:
        done = act()
    except Refusal as refusal:
        return refused(request, user, uid, refusal, posted or Posted(), opened)
    if not is_part(request, "ticket"):
        messages.success(request, done)
        return redirect("approvals:ticket", uid=uid, permanent=False)
    return ticket_page(
        request,
        user,
        visible_ticket(user, uid),
        opened=opened,
        note=None if decides else Note(icon="check", tone="assent", heading=done, focus=True),
        just_decided=decides,
    )


def refused(
    request: HttpRequest,
    user: User,
    uid: UUID,
    refusal: Refusal,
    posted: Posted,
    opened: frozenset[str],
) -> HttpResponse:
    """The ticket as it stands now, with the refusal first and what was typed still there."""
    ticket = visible_ticket(user, uid)
    changed = isinstance(refusal, StaleDigest)
    if isinstance(refusal, AuditBroken):
        logger.error("Ticket %d cannot be written to: %s", ticket.pk, refusal.message)
    answer = ticket_page(
        request,
        user,
        ticket,
        opened=frozenset() if changed else opened,
        posted=replace(posted, refusal=refusal),
        note=_note(refusal, ticket),
        status=STATUS[refusal.kind],
    )
    answer[PART] = "ticket"  # a fault's page, which is no part of anything, has no such header
    return answer


def _note(refusal: Refusal, ticket: Ticket) -> Note:
    text = ""
    if isinstance(refusal, AuditBroken):
        return Note(
            icon="warn",
            tone="refuse",
            heading=told(AuditBroken().message),
            text=gettext(
                "Nothing was decided, and this ticket cannot be decided by trying again. Tell an"
                " administrator: manage.py verify_audit names what was changed."
            ),
            focus=True,
        )
    if isinstance(refusal, StaleDigest):
        text = gettext("This is revision {revision} now. Below is what would run today.").format(
            revision=ticket.revision
        )
    elif isinstance(refusal, StaleState):
        text = gettext("Below is how it stands now.")
    return Note(icon="warn", tone="refuse", heading=told(refusal.message), text=text, focus=True)


def _typed(form: tuple[Field, ...], posted: Posted) -> dict[str, JSON]:
    """What the form of a ticket that asks was filled in with."""
    try:
        return read_typed(form, posted.typed or {})
    except AnswerInvalid as wrong:
        raise AnswerUnfit(errors=wrong.errors) from None


def _answer(request: HttpRequest) -> Answer:
    try:
        answer = Answer(request.POST.get("verdict", ""))
    except ValueError:
        raise FormIncomplete from None
    if answer is Answer.WITHDRAW:
        raise FormIncomplete
    return answer
