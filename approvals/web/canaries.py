"""The tests that administrators seed among tickets: the list of them, and seeding one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.errors import Refusal
from approvals.domain.quorum import Answer
from approvals.domain.traps import Trap
from approvals.domain.wording import say
from approvals.models import Ticket, User
from approvals.presenters.canaries import present_canaries, trap_choices
from approvals.presenters.words import told
from approvals.selectors.canaries import canaries_page
from approvals.services.canaries import CanaryRefused, seed_canary
from approvals.web.access import reviewer_page
from approvals.web.addresses import key_in
from approvals.web.posted import STATUS


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def canaries(request: HttpRequest, user: User) -> HttpResponse:
    """Show the tests that were seeded; a POST seeds one more."""
    if not user.person.is_admin:
        raise PermissionDenied("Only administrators seed tests.")
    error, status = "", 200
    if request.method == "POST":
        try:
            _seed(request, user)
        except Refusal as refusal:
            error, status = told(refusal.message), STATUS[refusal.kind]
        else:
            messages.success(
                request, gettext("It is seeded. It looks like any ticket until somebody decides.")
            )
            return redirect("approvals:canaries")
    before = key_in(request.GET.get("before", ""))
    found, older = canaries_page(user.person, before=before)
    here = reverse("approvals:canaries")
    form = request.POST if request.method == "POST" else request.GET
    context = {
        "rows": present_canaries(found),
        "older": f"{here}?before={older}" if older is not None else "",
        "newest": here if before is not None else "",
        "traps": trap_choices(form.get("trap", Trap.HOST.value)),
        "number": form.get("like", "")[:19],
        "right": form.get("right", Answer.REJECT.value),
        "explanation": form.get("explanation", "")[:2000],
        "error": error,
    }
    return render(request, "approvals/canaries.html", context, status=status)


def _seed(request: HttpRequest, user: User) -> UUID:
    form = request.POST
    number = key_in(form.get("like", "").strip().removeprefix("#"))
    like = Ticket.objects.filter(pk=number or 0).values_list("uid", flat=True).first()
    if like is None:
        raise CanaryRefused(say("Give the number of a ticket that there is."))
    try:
        trap, right = Trap(form.get("trap", "")), Answer(form.get("right", ""))
    except ValueError:
        raise CanaryRefused(say("Choose one of the traps, and what would be right.")) from None
    return seed_canary(
        user=user,
        like=like,
        trap=trap,
        right=Answer.REJECT if trap is not Trap.PAST else right,
        explanation=form.get("explanation", ""),
    )
