"""What people do around a ticket without deciding on it: talk, hand it on, put it away.

Each view parses, calls one service and shows the ticket as it is afterwards; refusals are shown as
those of decisions are.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.snoozing import Choice
from approvals.models import User
from approvals.presenters.conversation import taker_in
from approvals.presenters.posted import Posted
from approvals.services import conversation, handover, snoozing
from approvals.web import opened as opening
from approvals.web.access import reviewer_page
from approvals.web.addresses import uuid_in
from approvals.web.decisions import answered
from approvals.web.posted import FormIncomplete, nonce_in
from approvals.web.reading import visible_ticket


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def say(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Comment, ask the agent's owner, or answer as its owner."""
    kind, words = request.POST.get("kind", ""), request.POST.get("words", "")
    question = request.POST.get("question", "")
    posted = Posted(words=words, form=question or kind)

    def act() -> str:
        nonce = _nonce(request, kind, question, words)
        match kind:
            case "comment":
                conversation.comment(uid=uid, user=user, words=words, nonce=nonce)
                return gettext("Your comment stands below.")
            case "question":
                conversation.ask_owner(uid=uid, user=user, words=words, nonce=nonce)
                return gettext("The agent's owner is asked.")
            case "answer":
                conversation.answer_question(
                    uid=uid, question=_question(question), user=user, words=words, nonce=nonce
                )
                return gettext("Your answer stands below.")
        raise FormIncomplete

    return _attended(request, user, uid, act, posted)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def hand_on(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Hand the ticket to another person or group."""
    words = request.POST.get("words", "")

    def act() -> str:
        person, group = taker_in(request.POST.get("to", ""))
        handover.hand_on(
            uid=uid,
            user=user,
            to_person=person,
            to_group=group,
            words=words,
            nonce=_nonce(request, request.POST.get("to", ""), words),
        )
        return gettext("The ticket is handed on. You can still decide on it.")

    return _attended(request, user, uid, act, Posted(words=words, form="handoff"))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def snooze(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Put the ticket away for a while."""

    def act() -> str:
        try:
            choice = Choice(request.POST.get("until", ""))
        except ValueError:
            raise FormIncomplete from None
        snoozing.snooze(uid=uid, user=user, choice=choice)
        return gettext("The ticket is put away. It comes back by itself.")

    return _attended(request, user, uid, act, Posted(form="snooze"))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def wake(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Take the ticket back into one's list."""

    def act() -> str:
        snoozing.wake(uid=uid, user=user)
        return gettext("The ticket is back in your list.")

    return _attended(request, user, uid, act, Posted())


def _attended(
    request: HttpRequest, user: User, uid: UUID, act: Callable[[], str], posted: Posted
) -> HttpResponse:
    """Act, and show the ticket with what was opened of it before."""
    ticket = visible_ticket(user, uid)
    opened = opening.opened_in(
        request.POST.get("opened", ""), user_id=user.pk, digest=bytes(ticket.digest)
    )
    return answered(request, user, uid, act, posted=posted, opened=opened, decides=False)


def _nonce(request: HttpRequest, *said: str) -> str:
    """The form's nonce, bound to what was said: only the very same post is a repetition."""
    spelled = "\0".join(said).encode("utf-8", "surrogatepass")
    return f"{nonce_in(request)[:40]}.{sha256(spelled).hexdigest()[:20]}"


def _question(text: str) -> UUID:
    if (key := uuid_in(text)) is None:
        raise FormIncomplete
    return key
