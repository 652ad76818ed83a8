"""The admin's pages for agents and their tokens."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from mcpbridge import conf
from mcpbridge.administration import (
    Refused,
    change_agent,
    create_agent,
    issue_token,
    revoke_token,
)
from mcpbridge.approvals_gateway import accounts_person, paused_agents
from mcpbridge.models import Agent, AgentToken
from mcpbridge.web.access import actor_of, admin_page, admins_only, may_change
from mcpbridge.web.forms import AgentForm, TokenForm
from mcpbridge.web.problems import add_refusal


@require_http_methods(["GET", "HEAD"])
@admin_page
def agents(request: HttpRequest) -> HttpResponse:
    """All agents by name."""
    rows = Agent.objects.select_related("owner", "team").order_by("name")
    return render(
        request,
        "manage/agents.html",
        {"agents": rows, "may_change": may_change(request), "paused": set(paused_agents())},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def new_agent(request: HttpRequest) -> HttpResponse:
    """A form for a new agent; a POST makes it."""
    form = AgentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic(durable=True):
                made = create_agent(
                    actor=actor_of(request),
                    name=form.cleaned_data["name"],
                    settings=form.settings(),
                )
        except Refused as refused:
            add_refusal(form, refused)
        else:
            messages.success(
                request,
                gettext("{name} exists. Issue a token, and it can connect.").format(name=made.name),
            )
            return redirect("manage:agent", name=made.name)
    status = 422 if form.errors else 200
    context = {"form": form, "may_change": True}
    return render(request, "manage/agent_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admin_page
def agent(request: HttpRequest, name: str) -> HttpResponse:
    """One agent: its settings, its tokens; a POST replaces the settings."""
    found = get_object_or_404(Agent.objects.select_related("owner", "team"), name=name)
    form = AgentForm(request.POST or None, agent=found)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic(durable=True):
                change_agent(actor=actor_of(request), agent_id=found.pk, settings=form.settings())
        except Refused as refused:
            add_refusal(form, refused)
        else:
            messages.success(request, gettext("Saved."))
            return redirect("manage:agent", name=name)
    return _agent_page(
        request, found, form, TokenForm(agent=found), status=422 if form.errors else 200
    )


@require_POST
@admins_only
def new_token(request: HttpRequest, name: str) -> HttpResponse:
    """Issue a token and show it, this once, in the answer itself."""
    found = get_object_or_404(Agent.objects.select_related("owner", "team"), name=name)
    form = TokenForm(request.POST, agent=found)
    if form.is_valid():
        try:
            with transaction.atomic(durable=True):
                issued = issue_token(
                    actor=actor_of(request),
                    agent=found,
                    days=form.cleaned_data["days"],
                    label=form.cleaned_data["label"],
                    audience=form.cleaned_data["audience"],
                    issued_by_id=accounts_person(request.user),
                )
        except Refused as refused:
            add_refusal(form, refused)
        else:
            url = form.cleaned_data["audience"] or f"{conf.public_url()}/mcp"
            shown = {"agent": found, "issued": issued, "url": url}
            return render(request, "manage/token.html", shown)
    return _agent_page(request, found, AgentForm(agent=found), form, status=422)


@require_POST
@admins_only
def end_token(request: HttpRequest, name: str, token_id: UUID) -> HttpResponse:
    """Revoke a token; what it opened and was not sent is cancelled."""
    token = get_object_or_404(AgentToken, pk=token_id, agent__name=name)
    with transaction.atomic(durable=True):
        revoke_token(actor=actor_of(request), token_id=token.pk)
    messages.success(
        request, gettext("The token ending in {hint} is revoked.").format(hint=token.hint)
    )
    return redirect("manage:agent", name=name)


def _agent_page(
    request: HttpRequest, found: Agent, form: AgentForm, token_form: TokenForm, *, status: int
) -> HttpResponse:
    context = {
        "agent": found,
        "form": form,
        "token_form": token_form,
        "tokens": found.tokens.order_by("-created_at"),
        "now": timezone.now(),
        "may_change": may_change(request),
        "paused": paused_agents().get(found.pk),
    }
    return render(request, "manage/agent.html", context, status=status)
