"""The page of a burst: its open calls, and rejecting all of them while pausing their agent.

The page is a GET that changes nothing; its one form is a POST. Pausing is undone here as well.
"""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from approvals.domain.errors import Refusal
from approvals.models import User
from approvals.presenters.bursts import BurstPage, burst_url, suggested_reason
from approvals.presenters.calls import name
from approvals.presenters.inbox import present_rows
from approvals.presenters.rows import unticked
from approvals.presenters.words import figure, told
from approvals.selectors.bursts import PAGE, open_calls
from approvals.selectors.listing import listed
from approvals.selectors.visibility import tickets_visible_to
from approvals.services.bursts import Cleared, reject_and_pause
from approvals.services.pausing import pause_agent, resume_agent
from approvals.web.access import reader, reviewer_page
from approvals.web.addresses import key_in, uuid_in
from approvals.web.posted import STATUS, FormIncomplete, nonce_in

MOST_COUNTED: Final = 1000


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def burst(request: HttpRequest, user: User, agent_id: UUID) -> HttpResponse:
    """Show an agent's open calls; a POST pauses the agent, and rejects them if that is asked."""
    upstream_id, tool = _asked(request)
    if request.method != "POST":
        return _page(request, user, agent_id)
    try:
        nonce = nonce_in(request)
        verb = request.POST.get("verb", "")
        if verb not in {"reject", "pause"}:
            raise FormIncomplete
        if verb == "pause":
            pause_agent(agent_id=agent_id, user=user)
            messages.success(request, gettext("The agent is paused. Its open calls still wait."))
            return redirect(burst_url(agent_id, upstream_id, tool))
        up_to = key_in(request.POST.get("up_to", ""))
        if up_to is None:
            raise FormIncomplete
        done = reject_and_pause(
            agent_id=agent_id,
            upstream_id=upstream_id,
            tool_name=tool,
            up_to=up_to,
            user=user,
            reason=request.POST.get("reason", ""),
            nonce=nonce,
        )
    except Refusal as refusal:
        return _page(
            request, user, agent_id, error=told(refusal.message), status=STATUS[refusal.kind]
        )
    _tell(request, done)
    left = done.left and not done.refused
    return redirect(burst_url(agent_id, upstream_id, tool) if left else "approvals:inbox")


@require_POST
@reviewer_page
def resume(request: HttpRequest, user: User, agent_id: UUID) -> HttpResponse:
    """Let a paused agent's calls become tickets again."""
    try:
        resumed = resume_agent(agent_id=agent_id, user=user)
    except Refusal as refusal:
        messages.warning(request, told(refusal.message))
    else:
        if resumed:
            messages.success(request, gettext("The agent goes on. Its calls come to you again."))
    return redirect("approvals:inbox")


def _page(
    request: HttpRequest, user: User, agent_id: UUID, *, error: str = "", status: int = 200
) -> HttpResponse:
    upstream_id, tool = _asked(request)
    who = reader(user)
    calls = open_calls(who, agent_id=agent_id, upstream_id=upstream_id, tool_name=tool)
    counted = calls[:MOST_COUNTED].aggregate(many=Count("pk"), newest=Max("pk"))
    many: int = counted["many"]
    some = calls.values_list("agent_name", "upstream_name").first()
    if some is None and not error:
        if not tickets_visible_to(user.person).filter(agent_id=agent_id).exists():
            raise Http404("There is no such agent, or you have no vote on its calls.")
        messages.info(request, gettext("None of these calls is open any more."))
        return redirect("approvals:inbox")
    agent_name, upstream_name = some or ("", "")
    after = key_in(request.GET.get("after", "")) or 0
    keys = list(calls.filter(pk__gt=after).values_list("pk", flat=True)[: PAGE + 1])
    rows = present_rows(listed(keys[:PAGE], one_person=who.one_person), now=timezone.now())
    here = burst_url(agent_id, upstream_id, tool)
    onward = "&" if "?" in here else "?"
    view = BurstPage(
        agent=name(agent_name),
        tool=name(f"{upstream_name}.{tool}") if tool else None,
        many=many,
        heading=ngettext("{number} open call", "{number} open calls", many).format(
            number=figure(many)
        ),
        verb=ngettext(
            "Reject {number} call and pause this agent",
            "Reject all {number} calls and pause this agent",
            many,
        ).format(number=figure(many)),
        rows=tuple(map(unticked, rows)),
        more_url=f"{here}{onward}after={keys[PAGE - 1]}" if len(keys) > PAGE else "",
        first_url=here if after else "",
        here=here,
        nonce=secrets.token_urlsafe(24),
        up_to=counted["newest"] or 0,
        reason=request.POST.get("reason", "") or suggested_reason(many),
        error=error,
    )
    return render(request, "approvals/burst.html", {"view": view, "reader": who}, status=status)


def _tell(request: HttpRequest, done: Cleared) -> None:
    """Say what came of it."""
    if done.rejected:
        messages.success(
            request,
            ngettext(
                "{number} call is rejected, and its agent is paused.",
                "{number} calls are rejected, and their agent is paused.",
                done.rejected,
            ).format(number=figure(done.rejected)),
        )
    if done.refused:
        messages.warning(
            request,
            ngettext(
                "{number} call could not be rejected: {why}",
                "{number} calls could not be rejected, the first because: {why}",
                done.refused,
            ).format(number=figure(done.refused), why=told(done.why)),
        )
    if done.left and not done.refused:
        messages.info(
            request,
            ngettext(
                "{number} more is open. Reject it as well.",
                "{number} more are open. Reject them as well.",
                done.left,
            ).format(number=figure(done.left)),
        )


def _asked(request: HttpRequest) -> tuple[UUID | None, str]:
    """The tool that the address names, with its upstream; nothing for all tools."""
    upstream = uuid_in(request.GET.get("upstream", ""))
    return upstream, request.GET.get("tool", "")[:256] if upstream is not None else ""
