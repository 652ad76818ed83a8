"""Step-up at the vote: asking a browser for a passkey, and reading what a form brings back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from approvals.audit.sealing import PayloadPurged, SealBroken
from approvals.domain.errors import Refusal
from approvals.domain.stepup import StepUp, terms_digest
from approvals.models import Ticket, User
from approvals.presenters.posted import Posted
from approvals.presenters.stepup import StepUpPart, present_step_up
from approvals.presenters.ticket import Reading
from approvals.presenters.words import told
from approvals.services import credentials, stepup
from approvals.services.stepup import Presented
from approvals.services.tickets import target_name
from approvals.web.access import reviewer_page
from approvals.web.posted import STATUS, digest_in, terms_in
from approvals.web.reading import visible_ticket


@require_POST
@never_cache
@reviewer_page
def offer(request: HttpRequest, user: User, uid: UUID) -> JsonResponse:
    """Ask this account's passkeys about the ticket as it stands; the answer comes with the vote."""
    visible_ticket(user, uid)  # hidden and absent tickets answer alike
    try:
        terms = terms_in(request.POST)
        asked = stepup.offer(
            uid=uid,
            user=user,
            seen_digest=digest_in(request),
            terms=terms_digest(terms) if terms is not None else b"",
        )
    except Refusal as refusal:
        status = STATUS[refusal.kind]
        return JsonResponse({"code": refusal.code, "message": told(refusal.message)}, status=status)
    public_key = {
        "challenge": asked.challenge,
        "rpId": asked.rp_id,
        "allowCredentials": [{"type": "public-key", "id": name} for name in asked.credentials],
        "userVerification": "required",
        "timeout": asked.seconds * 1000,
    }
    return JsonResponse({"publicKey": public_key})


def presented_in(request: HttpRequest) -> Presented:
    """What a form carries to prove that its person is there."""
    return Presented(
        assertion=request.POST.get("assertion", ""),
        code=request.POST.get("code", "").strip(),
        target=request.POST.get("target", ""),
    )


def step_up_part(
    reading: Reading, user: User, *, presented: Presented, posted: Posted
) -> StepUpPart | None:
    """What the ticket's page asks of this person, who may approve it."""
    obligations = reading.obligations
    if reading.rights.approve is not None:
        return None
    asked = obligations.step_up is not StepUp.NONE
    factors = credentials.kinds_of(user) if asked else frozenset()
    return present_step_up(
        reading.ticket,
        obligations=obligations,
        has_passkey=credentials.PASSKEY in factors,
        has_app=credentials.TOTP in factors,
        name=_name(reading.ticket) if obligations.type_target else "",
        typed=presented.target,
        posted=posted,
    )


def _name(ticket: Ticket) -> str:
    try:
        return target_name(ticket)
    except (PayloadPurged, SealBroken):
        return ticket.tool_name  # nobody can approve what cannot be shown
