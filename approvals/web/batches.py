"""Deciding on several tickets from one page: a look at all of them first, then one vote each."""

from __future__ import annotations

import binascii
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.errors import Refusal
from approvals.domain.quorum import Answer
from approvals.models import User
from approvals.presenters.batches import present_batch, present_results
from approvals.presenters.words import told
from approvals.selectors.looks import nonce_shown_now
from approvals.services.batches import (
    MOST_REJECTED,
    Chosen,
    chosen_tickets,
    decide_many,
    why_not_together,
)
from approvals.web.access import reviewer_page
from approvals.web.addresses import uuid_in
from approvals.web.posted import STATUS, FormIncomplete, nonce_in


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def batch(request: HttpRequest, user: User) -> HttpResponse:
    """Show the chosen tickets; a POST votes on each of them and names what became of each."""
    if request.method != "POST":
        return _page(request, user, request.GET)
    try:
        verdict, chosen = _verdict(request.POST), _chosen(request.POST)
        results = decide_many(
            user=user,
            verdict=verdict,
            chosen=chosen,
            reason=request.POST.get("reason", ""),
            nonce=nonce_in(request),
        )
    except Refusal as refusal:
        error, status = told(refusal.message), STATUS[refusal.kind]
        return _page(request, user, request.POST, error=error, status=status)
    tickets = {t.uid: t for t in chosen_tickets(user, [each.uid for each in chosen])}
    context = {"results": present_results(results, tickets, verdict=verdict)}
    return render(request, "approvals/batch_done.html", context)


def _page(
    request: HttpRequest, user: User, form: QueryDict, *, error: str = "", status: int = 200
) -> HttpResponse:
    tickets = chosen_tickets(user, _uids(form))
    why = why_not_together(tickets)
    number = len(tickets)
    context = {
        "rows": present_batch(tickets, whole=why is None),
        "why_not": told(why.message) if why is not None and number else "",
        "error": error,
        "reason": form.get("reason", "")[:2000],
        "nonce": nonce_shown_now(),
        "reject": ngettext("Reject {number} call", "Reject {number} calls", number).format(
            number=number
        ),
        "approve": ngettext(
            "Approve and run {number} call", "Approve and run {number} calls", number
        ).format(number=number),
    }
    return render(request, "approvals/batch.html", context, status=status)


def _verdict(form: QueryDict) -> Answer:
    verdict = form.get("verdict", "")
    if verdict not in {Answer.APPROVE, Answer.REJECT}:
        raise FormIncomplete
    return Answer(verdict)


def _chosen(form: QueryDict) -> list[Chosen]:
    """The tickets of a form, each with the digest that it was shown with."""
    try:
        return [
            Chosen(uid=uid, seen_digest=binascii.unhexlify(form.get(f"digest-{uid}", "")))
            for uid in _uids(form)
        ]
    except ValueError:
        raise FormIncomplete from None


def _uids(form: QueryDict) -> list[UUID]:
    """The tickets that are named, each once; what names none is left out."""
    named = (uuid_in(text) for text in form.getlist("ticket")[: MOST_REJECTED + 1])
    return list(dict.fromkeys(uid for uid in named if uid is not None))
