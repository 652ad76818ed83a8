"""Editing a pending ticket's arguments in two steps: see what would change, then change it.

Each step is a POST that names what was seen; only the second one writes. A refusal shows the form
again with everything that was typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from approvals import ports
from approvals.domain.argument_form import FieldsUnreadable, arguments_from
from approvals.domain.canonical import NotCanonical, canonical_bytes
from approvals.domain.errors import ArgumentsUnreadable, Refusal, StaleDigest
from approvals.models import Ticket, User
from approvals.presenters.arguments import argument_table, input_schema
from approvals.presenters.editing import form_fields, present_edit, present_preview
from approvals.presenters.sealed import open_bytes, open_json
from approvals.selectors.looks import nonce_shown_now
from approvals.selectors.votes import votes_of
from approvals.services import editing
from approvals.web import opened as opening
from approvals.web.access import reviewer_page
from approvals.web.posted import STATUS, FormIncomplete, digest_in, nonce_in
from approvals.web.reading import visible_ticket

_FIELD: Final = re.compile(r"arg-([0-9]{1,3})\Z")
_FORM: Final = "approvals/edit.html"
_PREVIEW: Final = "approvals/edit_preview.html"


@dataclass(slots=True)
class _Typed:
    """What the form carried, to be shown again when it is not accepted."""

    base: bytes
    posted: dict[int, str] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    whole: str | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reviewer_page
def edit(request: HttpRequest, user: User, uid: UUID) -> HttpResponse:
    """Show the form, show what it would change, or change it."""
    ticket = visible_ticket(user, uid)
    arguments, _ = open_bytes(ticket.arguments)
    typed = _Typed(base=arguments or b"{}")
    try:
        if request.method != "POST":
            editing.require_editor(ticket, user, bytes(ticket.digest))
            return _form(request, ticket, typed)
        match request.POST.get("step", ""):
            case "preview":
                return _preview(request, user, ticket, _typed(request, ticket, typed))
            case "again":
                typed.base = _canonical(request.POST.get("raw", ""))
                return _form(request, ticket, typed)
            case "confirm":
                return _confirm(request, user, ticket, typed)
            case _:
                raise FormIncomplete
    except Refusal as refusal:
        return _form(request, visible_ticket(user, uid), typed, refusal)


def _form(
    request: HttpRequest, ticket: Ticket, typed: _Typed, refusal: Refusal | None = None
) -> HttpResponse:
    if isinstance(refusal, StaleDigest):  # what was typed was typed into another version
        arguments, _ = open_bytes(ticket.arguments)
        typed = _Typed(base=arguments or b"{}")
    view = present_edit(
        ticket,
        base=typed.base,
        schema=_schema(ticket),
        posted=typed.posted,
        errors=typed.errors,
        whole=typed.whole,
        refusal=refusal,
    )
    status = STATUS[refusal.kind] if refusal else 200
    return render(request, _FORM, {"view": view}, status=status)


def _typed(request: HttpRequest, ticket: Ticket, typed: _Typed) -> bytes:
    """The arguments that were typed, as fields or as one text; kept in `typed` as well."""
    if "whole" in request.POST:
        typed.whole = request.POST["whole"].replace("\r\n", "\n")
        return typed.whole.encode("utf-8", "surrogatepass")
    typed.base = _canonical(request.POST.get("base", ""))
    typed.posted = {
        int(found[1]): request.POST[name].replace("\r\n", "\n")
        for name in request.POST
        if (found := _FIELD.match(name))
    }
    fields = form_fields(typed.base, _schema(ticket))
    try:
        return arguments_from(fields, typed.posted, read=ports.read_json)
    except FieldsUnreadable as problem:
        typed.errors = problem.errors
        raise ArgumentsUnreadable from None
    except NotCanonical as problem:
        raise ArgumentsUnreadable(str(problem)) from None


def _preview(request: HttpRequest, user: User, ticket: Ticket, raw: bytes) -> HttpResponse:
    proposed = editing.propose_edit(
        uid=ticket.uid, user=user, raw=raw, seen_digest=digest_in(request)
    )
    before, _ = open_bytes(ticket.arguments)
    view = present_preview(
        ticket,
        before=before or b"{}",
        after=proposed.arguments,
        schema=_schema(ticket),
        obligations=proposed.obligations,
        unchecked=proposed.unchecked,
        votes=len(votes_of(ticket)),
        nonce=nonce_shown_now(),
    )
    return render(request, _PREVIEW, {"view": view})


def _confirm(request: HttpRequest, user: User, ticket: Ticket, typed: _Typed) -> HttpResponse:
    raw = request.POST.get("raw", "").encode("utf-8", "surrogatepass")
    approve = request.POST.get("verdict", "") == "approve"
    typed.base = _canonical(request.POST.get("raw", ""))
    if approve:  # the preview showed everything that is not cut, and nothing else
        opening.require_opened(argument_table(typed.base, _schema(ticket)), ())
    done = editing.edit_arguments(
        uid=ticket.uid,
        user=user,
        raw=raw,
        seen_digest=digest_in(request),
        reason=request.POST.get("reason", ""),
        nonce=nonce_in(request),
        approve=approve,
    )
    said = {
        "edited": gettext("The arguments of ticket {number} are changed. Nobody has voted yet."),
        "counted": gettext("The arguments of ticket {number} are changed, and your vote counts."),
        "approved": gettext("You changed and approved ticket {number}."),
        "canary": gettext("Ticket {number} was a test."),
        "repeated": gettext("The arguments of ticket {number} were changed before."),
    }[done.kind]
    messages.success(request, said.format(number=ticket.pk))
    return redirect("approvals:ticket", uid=ticket.uid)


def _canonical(raw: str) -> bytes:
    """The canonical bytes of arguments that a page of ours carried; raises ArgumentsUnreadable."""
    try:
        value = ports.read_json(raw.encode("utf-8", "surrogatepass"))
        if isinstance(value, dict):
            return canonical_bytes(value)
    except ValueError as problem:
        raise ArgumentsUnreadable(str(problem)) from None
    raise FormIncomplete


def _schema(ticket: Ticket) -> object:
    return input_schema(open_json(ticket.tool_definition))
