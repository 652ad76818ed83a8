"""Standing permissions: giving one with an approval, looking at them, revoking one.

The page that gives one is a GET for every look at other terms, which changes nothing, and one POST
that approves the call on exactly the terms it was shown with.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from approvals import conf
from approvals.audit.sealing import PayloadPurged, SealBroken
from approvals.domain.errors import Refusal
from approvals.domain.pins import Terms
from approvals.domain.quorum import Answer
from approvals.domain.states import State
from approvals.models import Person, Ticket, User
from approvals.presenters.grants import past_calls, present_grant, present_grants, terms_in_words
from approvals.presenters.new_grant import HOUR, present_new_grant
from approvals.presenters.posted import Posted
from approvals.presenters.words import told
from approvals.selectors import grants as selectors
from approvals.selectors.agreement import agreed_terms
from approvals.selectors.looks import nonce_shown_now
from approvals.selectors.votes import eligible_people
from approvals.services import decisions
from approvals.services.grants import (
    MAX_USES,
    Wanted,
    asks_for_an_answer,
    revoke_grant,
)
from approvals.web import opened as opening
from approvals.web.access import reader, reviewer_page
from approvals.web.addresses import key_in, uuid_in
from approvals.web.decisions import refused
from approvals.web.posted import (
    STATUS,
    FormIncomplete,
    digest_in,
    nonce_in,
    require_seen,
    terms_in,
)
from approvals.web.reading import read_ticket, visible_ticket
from approvals.web.stepup import presented_in, step_up_part

DEFAULT_USES: Final = 10
DEFAULT_SECONDS: Final = HOUR


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def new_grant(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Show what a permission would allow; a POST approves the call and agrees to it.

    A refusal that other terms would not mend shows the ticket as it stands now.
    """
    ticket = visible_ticket(user, uid)
    if request.method != "POST":
        return _new_page(request, user, ticket, request.GET)
    try:
        return _give(request, user, ticket)
    except Refusal as refusal:
        if refusal.kind != "invalid":
            posted = Posted(reason=request.POST.get("reason", ""))
            return refused(request, user, uid, refusal, posted, _opened(request.POST, user, ticket))
        return _new_page(request, user, ticket, request.POST, refusal=refusal)


@require_safe
@never_cache
@reviewer_page
def grants(request: HttpRequest, user: User) -> HttpResponse:
    """Show the permissions of this person's teams; `?show=over` those that no longer count."""
    is_live = request.GET.get("show") != "over"
    before = uuid_in(request.GET.get("before", ""))
    rows, older = selectors.grants_page(
        user.person, is_live=is_live, before=before, one_person=conf.one_person()
    )
    here = reverse("approvals:grants")
    shown = QueryDict(mutable=True)
    if not is_live:
        shown["show"] = "over"
    newest = f"{here}?{shown.urlencode()}" if before is not None else ""
    if older is not None:
        shown["before"] = str(older)
    context = {
        "rows": present_grants(rows, now=timezone.now()),
        "is_live": is_live,
        "older": f"{here}?{shown.urlencode()}" if older is not None else "",
        "newest": newest,
    }
    return render(request, "approvals/grants.html", context)


@require_safe
@never_cache
@reviewer_page
def grant(request: HttpRequest, user: User, grant_id: UUID) -> HttpResponse:
    """Show one permission and what it let through."""
    standing = _visible(user, grant_id)
    before = key_in(request.GET.get("before", ""))
    tickets, older = selectors.let_through(standing.grant, user.person, before=before)
    here = reverse("approvals:grant", args=[grant_id])
    made_from = standing.grant.made_from
    counts = standing.is_live or selectors.unsent_of(standing.grant).exists()
    may_revoke = counts and (user.person.is_admin or user.person_id in eligible_people(made_from))
    context = {
        "view": present_grant(standing, may_revoke=may_revoke, now=timezone.now()),
        "tickets": past_calls(tickets),
        "older": f"{here}?before={older}" if older is not None else "",
        "newest": here if before is not None else "",
    }
    return render(request, "approvals/grant.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def revoke(request: HttpRequest, user: User, grant_id: UUID) -> HttpResponse:
    """Take a permission back for good."""
    _visible(user, grant_id)
    if request.method == "POST":
        try:
            stopped = revoke_grant(grant_id=grant_id, user=user)
        except Refusal:
            messages.warning(
                request, gettext("Only people who decide on its calls and admins revoke it.")
            )
        else:
            messages.success(
                request,
                ngettext(
                    "It is revoked, and {number} call that was not sent yet is cancelled.",
                    "It is revoked, and {number} calls that were not sent yet are cancelled.",
                    stopped,
                ).format(number=stopped),
            )
    return redirect("approvals:grant", grant_id=grant_id)


def _visible(user: User, grant_id: UUID) -> selectors.Standing:
    standing = selectors.grant_for(user.person, grant_id, one_person=conf.one_person())
    if standing is None:
        raise Http404("There is no such permission, or you may not see it.")
    return standing


def _give(request: HttpRequest, user: User, ticket: Ticket) -> HttpResponse:
    """Approve the call on these terms, and say what came of it."""
    form = request.POST
    terms = terms_in(form)
    if terms is None:
        raise FormIncomplete
    require_seen(ticket, _opened(form, user, ticket))
    decided = decisions.decide(
        uid=ticket.uid,
        user=user,
        verdict=Answer.APPROVE,
        seen_digest=digest_in(request),
        reason=form.get("reason", ""),
        nonce=nonce_in(request),
        grant=Wanted(terms=terms, confirmed=form.get("confirmed") == "yes"),
        presented=presented_in(request),
    )
    number = ticket.pk
    if decided.grant is not None:
        words = gettext("You approved ticket {number}, and gave permission for {terms}.")
        messages.success(request, words.format(number=number, terms=terms_in_words(terms)))
    elif decided.kind == "counted":
        words = gettext(
            "Your approval of ticket {number} counts, and so does your agreement to the"
            " permission. More people have to agree."
        )
        messages.success(request, words.format(number=number))
    elif decided.kind == "approved":
        words = gettext(
            "Ticket {number} is approved for this one call. No permission came of it: not"
            " everybody whose approval was needed agreed to the same terms."
        )
        messages.warning(request, words.format(number=number))
    elif decided.kind == "canary":
        messages.info(request, gettext("Ticket {number} was a test.").format(number=number))
    elif decided.kind == "repeated":
        messages.info(request, gettext("This was sent before. Below is how it stands now."))
    return redirect("approvals:ticket", uid=ticket.uid)


def _new_page(
    request: HttpRequest,
    user: User,
    ticket: Ticket,
    form: QueryDict,
    *,
    refusal: Refusal | None = None,
) -> HttpResponse:
    """The page as it is for these terms; the ticket's own page where none can be given."""
    reading = read_ticket(ticket, reader(user))
    blocked = told(reading.rights.approve.message) if reading.rights.approve is not None else ""
    if ticket.state != State.PENDING:
        blocked = gettext("This ticket is decided, so no permission can come of it any more.")
    elif not blocked and asks_for_an_answer(ticket):
        blocked = gettext("This ticket asks for an answer, which nothing can give ahead.")
    if blocked:
        messages.warning(request, blocked)
        return redirect("approvals:ticket", uid=ticket.uid)
    agreed = agreed_terms(ticket)
    has_session = bool(selectors.session_of(ticket))
    proposed = next(iter(agreed.values()), None) or _narrowest(has_session=has_session)
    terms = terms_in(form) or proposed
    try:
        past = selectors.past_like(ticket, user.person, free=terms.free)
    except (PayloadPurged, SealBroken):
        messages.warning(request, gettext("Its arguments cannot be shown."))
        return redirect("approvals:ticket", uid=ticket.uid)
    opened = _opened(form, user, ticket)
    try:
        require_seen(ticket, opened)
        cut = ""
    except Refusal as unseen:
        cut = told(unseen.message)
    names = Person.objects.filter(pk__in=[p for p, theirs in agreed.items() if theirs == terms])
    view = present_new_grant(
        ticket,
        terms=terms,
        past=past,
        has_session=has_session,
        proposals=tuple(names.order_by("name").values_list("name", flat=True)),
        others_needed=reading.resolution.missing - 1,
    )
    context = {
        "view": view,
        "error": told(refusal.message) if refusal is not None else "",
        "step_up": step_up_part(
            reading, user, presented=presented_in(request), posted=Posted(refusal=refusal)
        ),
        "cut": cut,
        "killed": reading.killed,
        "reason": form.get("reason", "")[:2000],
        "reason_required": reading.obligations.reason_required,
        "nonce": nonce_shown_now(),
        "seen_digest": bytes(ticket.digest).hex(),
        "opened_token": form.get("opened", "") if not cut else "",
        "most_uses": MAX_USES,
        "ticket": ticket,
    }
    status = STATUS[refusal.kind] if refusal is not None else 200
    return render(request, "approvals/grant_new.html", context, status=status)


def _opened(form: QueryDict, user: User, ticket: Ticket) -> frozenset[str]:
    return opening.opened_in(form.get("opened", ""), user_id=user.pk, digest=bytes(ticket.digest))


def _narrowest(*, has_session: bool) -> Terms:
    return Terms(
        session_only=has_session,
        free=(),
        max_uses=DEFAULT_USES,
        seconds=DEFAULT_SECONDS,
    )
