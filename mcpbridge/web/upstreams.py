"""The admin's pages for upstreams and their tools."""

from __future__ import annotations

import logging
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST
from kombu.exceptions import OperationalError

from mcpbridge.administration import (
    MOVED,
    Moved,
    Refused,
    change_upstream,
    create_upstream,
    pin_tool,
    publish_choices,
    quarantine_tool,
    set_idempotent,
)
from mcpbridge.administration.pins import MAX_ATTEMPTS
from mcpbridge.approvals_gateway import (
    accounts_person,
    current_policy,
    directory,
    published_policies,
    told,
    unready_rules,
)
from mcpbridge.models import ToolPin, Upstream
from mcpbridge.tasks import refresh_catalog
from mcpbridge.web.access import actor_of, admin_page, admins_only, may_change
from mcpbridge.web.choices import changed_choices, whole
from mcpbridge.web.others_view import others_view
from mcpbridge.web.problems import add_refusal
from mcpbridge.web.tools import sandbox_view, tool_views
from mcpbridge.web.upstream_form import UpstreamForm

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD"])
@admin_page
def upstreams(request: HttpRequest) -> HttpResponse:
    """All upstreams by name, each with how it is."""
    found = Upstream.objects.prefetch_related("leases").order_by("name")
    rows = [(row, sandbox_view(row)) for row in found]
    return render(
        request, "manage/upstreams.html", {"rows": rows, "may_change": may_change(request)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def new_upstream(request: HttpRequest) -> HttpResponse:
    """A form for a new upstream; a POST makes it and has its tools read."""
    form = UpstreamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic(durable=True):
                made = create_upstream(
                    actor=actor_of(request),
                    name=form.cleaned_data["name"],
                    settings=form.settings(),
                    secrets=form.secrets(),
                )
        except Refused as refused:
            add_refusal(form, refused)
        else:
            _read_soon(made)
            messages.success(
                request,
                gettext("{name} is added. Its tools are being read.").format(name=made.name),
            )
            return redirect("manage:upstream", name=made.name)
    status = 422 if form.errors else 200
    context = {"form": form, "may_change": True}
    return render(request, "manage/upstream_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admin_page
def upstream_settings(request: HttpRequest, name: str) -> HttpResponse:
    """An upstream's settings; a POST replaces them."""
    found = get_object_or_404(Upstream, name=name)
    form = UpstreamForm(request.POST or None, upstream=found)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic(durable=True):
                change_upstream(
                    actor=actor_of(request),
                    upstream_id=found.pk,
                    settings=form.settings(),
                    secrets=form.secrets(),
                )
        except Refused as refused:
            add_refusal(form, refused)
        else:
            _read_soon(found)
            messages.success(request, gettext("Saved."))
            return redirect("manage:upstream", name=name)
    context = {"upstream": found, "form": form, "may_change": may_change(request)}
    return render(
        request, "manage/upstream_settings.html", context, status=422 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@admin_page
def upstream(request: HttpRequest, name: str) -> HttpResponse:
    """An upstream's tools with allow, ask or deny; a POST publishes the changed choices."""
    found = get_object_or_404(Upstream, name=name)
    if request.method != "POST":
        return tools_page(request, found)
    try:
        with transaction.atomic(durable=True):
            version, count = _publish(request, found)
    except Moved as moved:
        return tools_page(request, found, problem=told(moved.message), status=409)
    except Refused as refused:
        return tools_page(
            request, found, problem=told(refused.message), status=422, posted=request.POST
        )
    words = (
        gettext("Nothing was changed.")
        if not count
        else gettext("Saved as policy version {version}.").format(version=version)
    )
    messages.success(request, words)
    return redirect("manage:upstream", name=name)


@require_POST
@admins_only
def decide_pin(request: HttpRequest, name: str, pin_id: UUID) -> HttpResponse:
    """Pin the definition that was shown, take a tool out of use, or say how often it may run."""
    pin = get_object_or_404(
        ToolPin.objects.select_related("upstream"), pk=pin_id, upstream__name=name
    )
    try:
        with transaction.atomic(durable=True):
            said = _decide(request, pin)
    except Moved as moved:
        return tools_page(request, pin.upstream, problem=told(moved.message), status=409)
    except Refused as refused:
        return tools_page(request, pin.upstream, problem=told(refused.message), status=422)
    messages.success(request, said)
    return redirect("manage:upstream", name=name)


@require_POST
@admins_only
def pin_all_new(request: HttpRequest, name: str) -> HttpResponse:
    """Pin every held tool exactly as it was shown; all of them or none."""
    found = get_object_or_404(Upstream, name=name)
    try:
        with transaction.atomic(durable=True):
            for shown in request.POST.getlist("shown"):
                pin_id, _, digest = shown.partition(":")
                pin = get_object_or_404(ToolPin, pk=_uuid(pin_id), upstream=found)
                pin_tool(
                    actor=actor_of(request),
                    pin_id=pin.pk,
                    seen_digest=_digest(digest),
                    person_id=accounts_person(request.user),
                )
    except Moved as moved:
        return tools_page(request, found, problem=told(moved.message), status=409)
    except Refused as refused:
        return tools_page(request, found, problem=told(refused.message), status=422)
    messages.success(request, gettext("Pinned as shown."))
    return redirect("manage:upstream", name=name)


@require_POST
@admins_only
def refresh(request: HttpRequest, name: str) -> HttpResponse:
    """Have a worker read the upstream's tools again."""
    found = get_object_or_404(Upstream, name=name)
    _read_soon(found)
    messages.success(
        request, gettext("Its tools are being read; load this page again in a moment.")
    )
    return redirect("manage:upstream", name=name)


@require_http_methods(["GET", "HEAD"])
@admin_page
def policy(request: HttpRequest) -> HttpResponse:
    """The policy in force, rule by rule, and the versions before it."""
    version, document = current_policy()
    context = {
        "version": version,
        "document": document,
        "versions": published_policies(),
        "unready": unready_rules(document),
    }
    return render(request, "manage/policy.html", context)


def _decide(request: HttpRequest, pin: ToolPin) -> str:
    """What the pressed button says about one tool; returns what was done."""
    actor, verb = actor_of(request), request.POST.get("verb")
    if verb == "pin":
        pin_tool(
            actor=actor,
            pin_id=pin.pk,
            seen_digest=_digest(request.POST.get("seen", "")),
            person_id=accounts_person(request.user),
        )
        return gettext("Pinned as shown.")
    if verb == "hold":
        quarantine_tool(actor=actor, pin_id=pin.pk)
        return gettext("Taken out of use. Nothing runs until it is pinned again.")
    if verb == "attempts":
        attempts = whole(request.POST.get(f"attempts-{pin.pk}"), gettext("attempts"), MAX_ATTEMPTS)
        set_idempotent(actor=actor, pin_id=pin.pk, idempotent=attempts > 1, max_attempts=attempts)
        return gettext("Saved.")
    raise Refused(gettext("press one of the buttons on this page"))


def _publish(request: HttpRequest, found: Upstream) -> tuple[int | None, int]:
    version, document = current_policy()
    pins = [(str(pk), name) for pk, name in found.pins.values_list("pk", "name")]
    shown = request.POST.get("version", "")
    if shown != str(version or ""):
        raise Moved(MOVED)
    choices = changed_choices(request.POST, document, upstream=found.name, pins=pins)
    if not choices:
        return version, 0
    published = publish_choices(
        upstream=found.name,
        choices=choices,
        made_against=version,
        person_id=accounts_person(request.user),
    )
    return published, len(choices)


def tools_page(
    request: HttpRequest,
    found: Upstream,
    *,
    problem: str = "",
    status: int = 200,
    posted: QueryDict | None = None,
) -> HttpResponse:
    """The page; `posted` puts back what somebody chose and could not save."""
    version, document = current_policy()
    tools = tool_views(found, document, posted)
    context = {
        "upstream": found,
        "sandbox": sandbox_view(found),
        "tools": tools,
        "others": others_view(found.name, document),
        "held": [tool for tool in tools if tool.held],
        "version": version,
        "groups": directory().groups,
        "unready": unready_rules(document, upstream=found.name),
        "attempts": range(1, MAX_ATTEMPTS + 1),
        "problem": problem[:1].upper() + problem[1:],
        "may_change": may_change(request),
    }
    return render(request, "manage/upstream.html", context, status=status)


def _read_soon(found: Upstream) -> None:
    """Ask a worker; with the broker away the bridge reads the list at the next use anyway."""
    try:
        refresh_catalog.delay(str(found.pk))
    except OperationalError:
        logger.warning("The broker takes no hints; the tools of %s are read later.", found.name)


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refused(gettext("the page's digest cannot be read; load the page again")) from None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused(gettext("the page's list cannot be read; load the page again")) from None
