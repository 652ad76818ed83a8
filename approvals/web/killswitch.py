"""The kill switch: everybody sees how it stands, admins turn it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals.domain.errors import Refusal
from approvals.models import User
from approvals.presenters.killswitch import present_kill_switch
from approvals.presenters.words import told
from approvals.services import gate
from approvals.web.access import reviewer_page

CONFIRMATION = "confirm"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def kill_switch(request: HttpRequest, user: User) -> HttpResponse:
    """Show the kill switch; a POST by an admin turns it on or off."""
    error, status = "", 200
    if request.method == "POST":
        verb = request.POST.get("verb", "")
        try:
            if verb == "kill":
                gate.kill(user=user)
                messages.warning(request, gettext("Everything is stopped. Nothing more is sent."))
                return redirect("approvals:kill")
            if verb == "unkill" and request.POST.get(CONFIRMATION) == "yes":
                gate.unkill(user=user)
                messages.success(
                    request, gettext("Calls run again. What was stopped stays stopped.")
                )
                return redirect("approvals:kill")
        except Refusal as refusal:
            error, status = told(refusal.message), 500 if refusal.kind == "broken" else 403
        else:
            error = (
                gettext("Tick the box to say that calls may run again.")
                if verb == "unkill"
                else gettext("Press one of the buttons on this page.")
            )
            status = 422
    view = present_kill_switch(gate.gate(), is_admin=user.person.is_admin, error=error)
    return render(request, "approvals/kill_switch.html", {"view": view}, status=status)
