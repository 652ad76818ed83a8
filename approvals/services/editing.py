"""Editing the arguments of a pending ticket: a new revision, judged again, with no votes on it.

The gate is locked before the ticket, the ticket before anything is read of it. What a person typed
is read by the rules for submissions and held to the tool's schema.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from django.db import transaction

from approvals import conf, ports, transitions
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import PayloadPurged, SealBroken, seal, unseal
from approvals.domain.canonical import JSON, canonical_bytes, ticket_digest
from approvals.domain.errors import (
    ArgumentsUnfit,
    ArgumentsUnreadable,
    Expired,
    NotEditable,
    NotEligible,
    NothingChanged,
    OwnerMayNotEdit,
    StaleDigest,
    StandInBarred,
    TooManyEdits,
)
from approvals.domain.fitting import SchemaUnusable, fit
from approvals.domain.forms import SCHEMA_KEY
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import Answer, Parties
from approvals.domain.wording import say
from approvals.models import Edit, Gate, Ticket, User
from approvals.selectors.votes import People, eligible_people, parties_of
from approvals.services import actors
from approvals.services.ballots import (
    Ballot,
    overdue,
    require_nonce,
    require_pending,
    words_of,
)
from approvals.services.contract import TicketView
from approvals.services.rejudging import judged_again, risk_again
from approvals.services.reviewers import require_reachable
from approvals.services.tickets import definition_of, view_of, visible
from approvals.services.voting import cast

MAX_EDITS: Final = 10
MAX_BYTES: Final = 262_144  # of edited arguments; what is longer is not edited in a form
NONCE_BYTES: Final = 32

type EditedKind = Literal["edited", "counted", "approved", "canary", "repeated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edit that was made; but for `edited` and `repeated` its editor's vote came with it.

    `canary`: the ticket was a test, which the vote ended.
    """

    ticket: TicketView
    kind: EditedKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What an edit would come to, if it were made now. `unchecked`: patterns of the schema."""

    arguments: bytes
    obligations: Obligations
    unchecked: bool


def propose_edit(*, uid: UUID, user: User, raw: bytes, seen_digest: bytes) -> Proposed:
    """What these arguments (JSON) would make of the ticket; changes nothing, refuses as an edit."""
    with transaction.atomic():
        gate = transitions.gate_for_share()
        ticket = visible(uid, user)
        require_editor(ticket, user, seen_digest)
        arguments, unchecked = _arguments(ticket, raw)
        judged = judged_again(ticket, gate)
        return Proposed(arguments=arguments, obligations=judged.obligations, unchecked=unchecked)


def edit_arguments(
    *,
    uid: UUID,
    user: User,
    raw: bytes,
    seen_digest: bytes,
    reason: str,
    nonce: str,
    approve: bool = False,
) -> Edited:
    """Replace the arguments (JSON) of a pending ticket; with `approve`, vote for them as well.

    Sending the same again with the same nonce is answered as it was the first time. Raises
    NotVisible, NotEligible, OwnerMayNotEdit, StandInBarred, NotEditable, AlreadyDecided, Expired,
    StaleDigest, ArgumentsUnreadable, ArgumentsUnfit, NothingChanged, TooManyEdits, ReasonTooLong,
    PolicyDenied, ObligationsConflict, QuorumUnreachable, KillSwitchOn; with `approve` whatever
    `decide` raises, and then nothing is changed at all.
    """
    require_nonce(nonce)
    words = words_of(reason)
    with transaction.atomic(durable=True):
        gate = transitions.gate_for_share()
        ticket = visible(uid, user)
        if Edit.objects.filter(ticket=ticket, user=user, nonce=nonce).exists():
            return Edited(ticket=view_of(ticket), kind="repeated")
        require_editor(ticket, user, seen_digest)
        after = _edit(ticket, user, gate, raw, words, nonce)
        if not approve:
            return Edited(ticket=view_of(after), kind="edited")
        decided = cast(
            uid,
            Ballot(
                user=user,
                answer=Answer.APPROVE,
                seen_digest=bytes(after.digest),
                words=words,
                nonce=nonce,
            ),
        )
        if decided is None:
            raise Expired(uid=str(uid))
        done: EditedKind = "counted"
        match decided.kind:
            case "approved" | "canary" as ended:
                done = ended
        return Edited(ticket=decided.ticket, kind=done)


def require_editor(ticket: Ticket, user: User, seen_digest: bytes) -> None:
    """Refuse whoever may not edit this ticket now, or edits something else than they saw."""
    require_pending(ticket)
    if overdue(ticket):
        raise Expired(uid=str(ticket.uid))
    if seen_digest != bytes(ticket.digest):
        raise StaleDigest(digest=bytes(ticket.digest).hex(), revision=ticket.revision)
    owner_now = ports.owner_of_agent(ticket.agent_id)
    parties = parties_of(ticket, owner_now=owner_now, one_person=conf.one_person())
    require_author(ticket, user.person_id, eligible=eligible_people(ticket), parties=parties)


def require_author(
    ticket: Ticket,
    person: UUID,
    *,
    eligible: People,
    parties: Parties,
) -> None:
    """Refuse whoever is not to edit this pending ticket, whatever they saw of it and when."""
    mandates = eligible.get(person)
    if not mandates:
        raise NotEligible
    if not parties.one_person:
        if person in parties.owners:
            raise OwnerMayNotEdit
        if all(mandate.holder in parties.owners for mandate in mandates):
            raise StandInBarred
    if SCHEMA_KEY in _definition(ticket):
        raise NotEditable(
            say("This ticket asks for an answer; the question is not yours to change.")
        )
    if ticket.revision > MAX_EDITS:
        raise TooManyEdits


def _edit(ticket: Ticket, user: User, gate: Gate, raw: bytes, words: str, nonce: str) -> Ticket:
    arguments, _ = _arguments(ticket, raw)
    judged = judged_again(ticket, gate)
    sealed = seal("arguments", arguments)
    edit = Edit(
        ticket_id=ticket.pk,
        revision=ticket.revision + 1,
        person_id=user.person_id,
        user=user,
        arguments_before_id=ticket.arguments_id,
        arguments=sealed,
        digest_before=bytes(ticket.digest),
        nonce_before=bytes(ticket.nonce),
        obligations_before=ticket.obligations,
        reason=seal("reason", words.encode()) if words else None,
        nonce=nonce,
    )
    ticket.revision += 1  # the row as it will be, to bind it; `transitions` writes it
    ticket.arguments = sealed
    ticket.nonce = secrets.token_bytes(NONCE_BYTES)
    ticket.obligations = judged.obligations.to_dict()
    after = transitions.edit(
        edit=edit,
        rebound=transitions.Rebound(
            nonce=ticket.nonce,
            digest=ticket_digest(ticket_binding(ticket, arguments)),
            obligations=ticket.obligations,
            verdict=judged.verdict,
            policy_id=judged.policy_id,
            risk=risk_again(ticket, arguments, judged.obligations, _definition(ticket)),
            approval_expires_at=judged.expires_at,
        ),
        epoch=gate.epoch,
        actor=actors.person(user.person_id),
    )
    require_reachable(after, list(after.groups.all()), judged.obligations)
    return after


def _arguments(ticket: Ticket, raw: bytes) -> tuple[bytes, bool]:
    """The canonical bytes of what was typed, held to the schema; whether parts went unchecked."""
    try:
        value = ports.read_json(raw)
        arguments = canonical_bytes(value)
    except ValueError as problem:  # NotCanonical among them
        raise ArgumentsUnreadable(str(problem)) from None
    if not isinstance(value, dict):
        raise ArgumentsUnreadable(say("The arguments of a call are one JSON object."))
    if len(arguments) > MAX_BYTES:
        raise ArgumentsUnreadable(
            say("Edited arguments have at most {most} bytes.", most=MAX_BYTES)
        )
    if arguments == _before(ticket):
        raise NothingChanged
    try:
        found = fit(value, _definition(ticket).get("inputSchema"))
    except SchemaUnusable as problem:
        raise NotEditable(
            say(
                "Nothing can be checked against this tool's schema: {problem}.",
                problem=problem.words,
            )
        ) from None
    if found.misfits:
        raise ArgumentsUnfit(misfits=found.misfits)
    return arguments, found.unchecked


def _before(ticket: Ticket) -> bytes:
    with _shown():
        return unseal(ticket.arguments)


def _definition(ticket: Ticket) -> dict[str, JSON]:
    with _shown():
        return definition_of(ticket)


@contextmanager
def _shown() -> Iterator[None]:
    """Nobody edits what cannot be shown; raises NotEditable."""
    try:
        yield
    except (PayloadPurged, SealBroken):
        raise NotEditable(say("Its arguments cannot be shown, so nobody can edit them.")) from None
