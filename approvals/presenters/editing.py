"""The pages on which a reviewer edits arguments, and what the ticket's page says of edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.argument_form import ArgumentField, argument_fields, json_text
from approvals.domain.errors import ArgumentsUnfit, Refusal
from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.obligations import DEFAULT_OBLIGATIONS, Obligations
from approvals.models import Edit, Ticket
from approvals.presenters.arguments import Arguments, argument_table, present_arguments
from approvals.presenters.calls import Call
from approvals.presenters.difference import DifferenceRow, changes_between
from approvals.presenters.gists import calls_of
from approvals.presenters.sealed import open_bytes, open_text
from approvals.presenters.words import figure, told

MOST_ROWS: Final = 12
# What an approval may ask for and still be given in one act with an edit.
_ONE_ACT: Final = frozenset(
    {"approval_seconds", "escalate", "execution_seconds", "groups", "quorum", "reason_required"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditField:
    """One argument in the form."""

    id: str
    label: InspectedText
    shape: str
    value: str
    remarks: tuple[str, ...] = ()
    error: str = ""

    @property
    def rows(self) -> int:
        """How tall a field of several lines is."""
        return min(max(1, self.value.count("\n") + 1), MOST_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPage:
    """The form: a field for each argument, and all of them as one JSON text."""

    number: int
    url: str
    ticket_url: str
    call: Call
    seen_digest: str
    base: str
    fields: tuple[EditField, ...]
    whole: str
    heading: str = ""
    problem: str = ""
    misfits: tuple[tuple[InspectedText, InspectedText], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage:
    """What would change, before it does."""

    number: int
    url: str
    ticket_url: str
    call: Call
    seen_digest: str
    nonce: str
    raw: str
    rows: tuple[DifferenceRow, ...]
    unchanged: str
    arguments: Arguments
    consequences: tuple[str, ...]
    may_approve: bool
    why_not_approve: str
    reason_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EditView:
    """One edit on the ticket's page."""

    revision: int
    who: str
    at: datetime
    reason: InspectedText | None
    rows: tuple[DifferenceRow, ...] | None
    words: str


def form_fields(base: bytes, schema: object) -> tuple[ArgumentField, ...]:
    """The fields of these arguments, in the order in which the ticket's page shows them."""
    rows = argument_table(base, schema).rows
    return argument_fields(base, [_first_token(row.pointer) for row in rows])


def present_edit(
    ticket: Ticket,
    *,
    base: bytes,
    schema: object,
    posted: Mapping[int, str] | None = None,
    errors: Mapping[int, str] | None = None,
    whole: str | None = None,
    refusal: Refusal | None = None,
) -> EditPage:
    """The form made from `base`; `posted` and `whole` are what was typed and not accepted."""
    remarks: dict[str, list[str]] = {}
    for row in argument_table(base, schema).rows:
        found = [told(finding.words) for finding in (*row.path.findings, *row.value.findings)]
        remarks.setdefault(_first_token(row.pointer), []).extend(found)
    fields = tuple(
        EditField(
            id=f"arg-{place}",
            label=inspect(field.name, identifier_like=True),
            shape=field.shape,
            value=(posted or {}).get(place, field.shown),
            remarks=tuple(dict.fromkeys(remarks.get(field.name, ()))),
            error=(errors or {}).get(place, ""),
        )
        for place, field in enumerate(form_fields(base, schema))
    )
    misfits = refusal.details.get("misfits", ()) if isinstance(refusal, ArgumentsUnfit) else ()
    return EditPage(
        number=ticket.pk,
        url=reverse("approvals:edit", args=[ticket.uid]),
        ticket_url=reverse("approvals:ticket", args=[ticket.uid]),
        call=calls_of([ticket])[ticket.pk],
        seen_digest=bytes(ticket.digest).hex(),
        base=base.decode(),
        fields=fields,
        whole=json_text(base) if whole is None else whole,
        heading=told(refusal.message) if refusal else "",
        problem=gettext("Nothing was changed.") if refusal or errors else "",
        misfits=tuple(
            (inspect(misfit.pointer or "/", identifier_like=True), inspect(misfit.words))
            for misfit in misfits
        ),
    )


def present_preview(
    ticket: Ticket,
    *,
    before: bytes,
    after: bytes,
    schema: object,
    obligations: Obligations,
    unchecked: bool,
    votes: int,
    nonce: str,
) -> PreviewPage:
    """The difference between what was asked for and what would run, and what follows from it."""
    changes = changes_between(before, after)
    arguments = present_arguments(after, schema, ())
    reason = _why_not_at_once(obligations, arguments)
    return PreviewPage(
        number=ticket.pk,
        url=reverse("approvals:edit", args=[ticket.uid]),
        ticket_url=reverse("approvals:ticket", args=[ticket.uid]),
        call=calls_of([ticket])[ticket.pk],
        seen_digest=bytes(ticket.digest).hex(),
        nonce=nonce,
        raw=after.decode(),
        rows=changes.rows,
        unchanged=changes.words,
        arguments=arguments,
        consequences=_consequences(votes, unchecked=unchecked),
        may_approve=not reason,
        why_not_approve=reason,
        reason_required=obligations.reason_required,
    )


def present_edits(edits: Sequence[Edit]) -> tuple[EditView, ...]:
    """The edits of a ticket, the newest first, each with what it changed."""
    views: list[EditView] = []
    for edit in reversed(edits):
        before, _ = open_bytes(edit.arguments_before)
        after, _ = open_bytes(edit.arguments)
        reason = open_text(edit.reason)
        shown = changes_between(before, after) if before is not None and after is not None else None
        views.append(
            EditView(
                revision=edit.revision,
                who=edit.person.name,
                at=edit.created_at,
                reason=inspect(reason) if reason else None,
                rows=shown.rows if shown else None,
                words=shown.words
                if shown
                else gettext("What was changed was removed when its retention ended."),
            )
        )
    return tuple(views)


def _consequences(votes: int, *, unchecked: bool) -> tuple[str, ...]:
    found = [
        gettext("The agent is told what you changed, and from what to what."),
        gettext("Policy judges the call again; it may ask for more, never for less."),
    ]
    if votes:
        found.insert(
            0,
            ngettext(
                "{number} vote given so far counts no longer.",
                "{number} votes given so far count no longer.",
                votes,
            ).format(number=figure(votes)),
        )
    if unchecked:
        found.append(
            gettext("Some patterns of the tool's schema are not tried here; the upstream does.")
        )
    return tuple(found)


def _why_not_at_once(obligations: Obligations, arguments: Arguments) -> str:
    """Why an edit cannot be approved in the same act; empty where it can."""
    usual = DEFAULT_OBLIGATIONS.to_dict()
    asked = {name for name, value in obligations.to_dict().items() if value != usual.get(name)}
    if obligations.quorum > 1 or asked - _ONE_ACT:
        return gettext("This call needs more than one person's click: save first, then decide.")
    if arguments.cut_rows:
        return gettext("Some values are too long to be shown here, so save first, then open them.")
    return ""


def _first_token(pointer: str) -> str:
    token = pointer.removeprefix("/").partition("/")[0]
    return token.replace("~1", "/").replace("~0", "~")
