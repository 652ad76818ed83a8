"""Editing the arguments of a pending ticket: a new revision, judged again, with no votes on it.

The gate is locked before the ticket, the ticket before anything is read of it. What a person typed
is read by the rules for submissions and held to the tool's schema.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from django.db import transaction

from approvals import conf, ports, transitions
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import PayloadPurged, SealBroken, seal, unseal
from approvals.domain.canonical import JSON, NotCanonical, canonical_bytes, ticket_digest
from approvals.domain.errors import (
    ArgumentsUnfit,
    ArgumentsUnreadable,
    Expired,
    NotEditable,
    NotEligible,
    NothingChanged,
    ObligationsConflict,
    OwnerMayNotEdit,
    PolicyDenied,
    StaleDigest,
    StandInBarred,
    TooManyEdits,
)
from approvals.domain.fitting import SchemaUnusable, fit
from approvals.domain.forms import SCHEMA_KEY
from approvals.domain.inspection import argument_rows
from approvals.domain.obligations import Obligations, tighten
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer, Parties
from approvals.domain.risk import Level, risk_of
from approvals.domain.verdicts import Effect
from approvals.domain.wording import say
from approvals.models import Edit, Gate, Payload, Ticket, User
from approvals.selectors.votes import People, eligible_people, obligations_of, parties_of
from approvals.services import actors
from approvals.services.ballots import (
    Ballot,
    overdue,
    require_nonce,
    require_pending,
    words_of,
)
from approvals.services.contract import TicketView
from approvals.services.policies import verdict_under
from approvals.services.reviewers import require_reachable, who_decides
from approvals.services.tickets import view_of, visible
from approvals.services.voting import cast

MAX_EDITS: Final = 10
MAX_BYTES: Final = 262_144  # of edited arguments; what is longer is not edited in a form
NONCE_BYTES: Final = 32
_LEVELS: Final = (Level.LOW, Level.MEDIUM, Level.HIGH)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Under what the new revision stands."""

    verdict: dict[str, JSON]
    policy_id: int | None
    obligations: Obligations
    expires_at: datetime


def propose_edit(*, uid: UUID, user: User, raw: bytes, seen_digest: bytes) -> Proposed:
    """What these arguments (JSON) would make of the ticket; changes nothing, refuses as an edit."""
    with transaction.atomic():
        gate = transitions.gate_for_share()
        ticket = visible(uid, user)
        require_editor(ticket, user, seen_digest)
        arguments, unchecked = _arguments(ticket, raw)
        judged = _judged(ticket, gate)
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
    if SCHEMA_KEY in definition_of(ticket):
        raise NotEditable(
            say("This ticket asks for an answer; the question is not yours to change.")
        )
    if ticket.revision > MAX_EDITS:
        raise TooManyEdits


def definition_of(ticket: Ticket) -> dict[str, JSON]:
    """The tool's definition as it was sealed; empty where there is none."""
    if ticket.tool_definition is None:
        return {}
    found = json.loads(_opened(ticket.tool_definition))
    return found if isinstance(found, dict) else {}


def _edit(ticket: Ticket, user: User, gate: Gate, raw: bytes, words: str, nonce: str) -> Ticket:
    arguments, _ = _arguments(ticket, raw)
    judged = _judged(ticket, gate)
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
            risk=_risk(ticket, arguments, judged.obligations),
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
    except NotCanonical as problem:
        raise ArgumentsUnreadable(str(problem)) from None
    except ValueError as problem:
        raise ArgumentsUnreadable(str(problem)) from None
    if not isinstance(value, dict):
        raise ArgumentsUnreadable(say("The arguments of a call are one JSON object."))
    if len(arguments) > MAX_BYTES:
        raise ArgumentsUnreadable(
            say("Edited arguments have at most {most} bytes.", most=MAX_BYTES)
        )
    if arguments == _opened(ticket.arguments):
        raise NothingChanged
    try:
        found = fit(value, definition_of(ticket).get("inputSchema"))
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


def _judged(ticket: Ticket, gate: Gate) -> _Judged:
    """Policy judges again: deny refuses, and what the ticket needed is never needed less."""
    facts = CallFacts(upstream=ticket.upstream_name, tool=ticket.tool_name, agent=ticket.agent_name)
    verdict = verdict_under(gate.policy, facts)
    current = obligations_of(ticket)
    if verdict.effect is Effect.DENY:
        raise PolicyDenied(verdict.explanation, rule=verdict.rule)
    if verdict.effect is Effect.ALLOW:  # people were asked before, and are asked still
        return _Judged(
            verdict=ticket.verdict,
            policy_id=ticket.policy_id,
            obligations=current,
            expires_at=ticket.approval_expires_at,
        )
    _, asked = who_decides(ticket, verdict.obligations)
    obligations = tighten(current, asked)
    if set(obligations.groups) != set(current.groups):
        raise ObligationsConflict(current=list(current.groups), other=list(asked.groups))
    return _Judged(
        verdict=replace(verdict, obligations=obligations).to_dict(),
        policy_id=gate.policy_id,
        obligations=obligations,
        expires_at=min(
            ticket.approval_expires_at,
            ticket.created_at + timedelta(seconds=obligations.approval_seconds),
        ),
    )


def _risk(ticket: Ticket, arguments: bytes, obligations: Obligations) -> str:
    """The mark of the new revision; an edit never lowers it."""
    definition = definition_of(ticket)
    annotations = definition.get("annotations")
    level = risk_of(
        annotations=annotations if isinstance(annotations, dict) else None,
        annotations_trusted=ticket.risk == Level.LOW,
        findings=argument_rows(arguments, definition.get("inputSchema")).findings,
        obligations=obligations,
    ).level
    return max(Level(ticket.risk), level, key=_LEVELS.index).value


def _opened(payload: Payload) -> bytes:
    try:
        return unseal(payload)
    except (PayloadPurged, SealBroken):
        raise NotEditable(say("Its arguments cannot be shown, so nobody can edit them.")) from None
