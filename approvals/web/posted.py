"""What every form about a ticket carries, and how a refusal of it is answered."""

from __future__ import annotations

import binascii
from typing import Final

from django.http import HttpRequest, QueryDict

from approvals.domain.errors import Refusal
from approvals.domain.pins import Terms
from approvals.domain.wording import say
from approvals.models import Ticket
from approvals.presenters.arguments import argument_table, input_schema
from approvals.presenters.sealed import open_bytes, open_json
from approvals.services.grants import MAX_SECONDS, MAX_USES
from approvals.web import opened as opening

STATUS: Final = {
    "conflict": 409,
    "invalid": 422,
    "forbidden": 403,
    "unavailable": 409,
    "broken": 500,
}
NONCE_CHARS: Final = 64
MOST_FREE: Final = 100


class FormIncomplete(Refusal):
    """This form was incomplete. Nothing was decided; look again and decide."""

    kind = "invalid"


def digest_in(request: HttpRequest) -> bytes:
    """The digest of the ticket that the form was shown with; raises FormIncomplete."""
    try:
        return binascii.unhexlify(request.POST.get("seen_digest", ""))
    except ValueError:
        raise FormIncomplete from None


def nonce_in(request: HttpRequest) -> str:
    """What makes a double POST harmless; raises FormIncomplete."""
    nonce = request.POST.get("nonce", "")
    if not 0 < len(nonce) <= NONCE_CHARS:
        raise FormIncomplete
    return nonce


def require_seen(ticket: Ticket, opened: frozenset[str]) -> None:
    """Refuse to approve what cannot be shown, or was shown only in part."""
    arguments, _ = open_bytes(ticket.arguments)
    if arguments is None:
        raise FormIncomplete(say("Its arguments cannot be shown, so nobody can approve them."))
    schema = input_schema(open_json(ticket.tool_definition))
    opening.require_opened(argument_table(arguments, schema), opened)


def terms_in(form: QueryDict) -> Terms | None:
    """The terms of a permission that a form carries; None where it carries none."""
    uses, seconds = _whole(form.get("uses", "")), _whole(form.get("seconds", ""))
    if uses is None or seconds is None:
        return None
    return Terms(
        session_only=form.get("for") == "session",
        free=tuple(sorted(set(form.getlist("free")[:MOST_FREE]))),
        max_uses=min(uses, MAX_USES),
        seconds=min(seconds, MAX_SECONDS),
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 else None
