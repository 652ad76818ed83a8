"""Step-up: asking for a passkey over one ticket, and accepting or refusing what comes back.

The challenge is a row: made for one account, one ticket digest and one act, used once, within two
minutes. What is accepted becomes a `StepUpProof` of the decision it belongs to.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.db import transaction
from fido2.utils import websafe_encode

from approvals import conf, ports
from approvals.audit.registrations import is_registered
from approvals.domain.assertion import (
    AssertionWrong,
    NotVerified,
    RelyingParty,
    assertion_from,
    challenge_in,
    check,
)
from approvals.domain.errors import (
    AlreadyDecided,
    CodeWrong,
    NoPasskey,
    PasskeyUnknown,
    PasskeyUnverified,
    PasskeyWrong,
    PromptOver,
    StaleDigest,
    StepUpRequired,
    StepUpUnneeded,
    TargetNotTyped,
    TooManyCodes,
)
from approvals.domain.obligations import Obligations
from approvals.domain.quorum import Answer, why_not
from approvals.domain.states import State
from approvals.domain.stepup import Statement, StepUp, challenge_of, same_name
from approvals.models import (
    DatabaseNow,
    StepUpChallenge,
    StepUpProof,
    Ticket,
    User,
    WrongCode,
    after_seconds,
    database_now,
)
from approvals.selectors.votes import eligible_people, obligations_of, parties_of, votes_of
from approvals.services.credentials import Passkey, passkeys_of, totp_of
from approvals.services.tickets import target_name, visible

CHALLENGE_SECONDS: Final = 120
NONCE_BYTES: Final = 32
CODE_TRIES: Final = 5
CODE_SECONDS: Final = 300
DIGEST_BYTES: Final = 32

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What came with an approval: a passkey's answer (the browser's JSON) or an app's code.

    `target` is the name of what the call acts on, typed by hand.
    """

    assertion: str = ""
    code: str = ""
    target: str = ""


NOTHING: Final = Presented()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a browser gives to the authenticator; bytes in base64url."""

    challenge: str
    rp_id: str
    credentials: tuple[str, ...]
    seconds: int


def offer(*, uid: UUID, user: User, seen_digest: bytes, terms: bytes = b"") -> Offer:
    """Ask this account's passkeys about this ticket as it stands.

    Raises NotVisible, AlreadyDecided, StaleDigest, the refusals of a vote, StepUpUnneeded where
    the ticket asks for none, and NoPasskey.
    """
    with transaction.atomic(durable=True):
        ticket = visible(uid, user)
        if ticket.state != State.PENDING:
            raise AlreadyDecided(state=ticket.state, version=ticket.version)
        if seen_digest != bytes(ticket.digest):
            raise StaleDigest(digest=bytes(ticket.digest).hex(), revision=ticket.revision)
        obligations = obligations_of(ticket)
        if obligations.step_up is StepUp.NONE:
            raise StepUpUnneeded
        _require_voter(ticket, user, obligations)
        keys = passkeys_of(user)
        party = RelyingParty(origin=conf.passkey_origin())
        if not keys or not party.origin:
            raise NoPasskey
        statement = _statement(ticket, user, terms)
        StepUpChallenge.objects.filter(user=user, expires_at__lte=DatabaseNow()).delete()
        StepUpChallenge.objects.create(
            user=user,
            ticket=ticket,
            statement=statement.to_bytes(),
            challenge=statement.challenge(),
            expires_at=after_seconds(CHALLENGE_SECONDS),
        )
    return Offer(
        challenge=websafe_encode(statement.challenge()),
        rp_id=party.rp_id,
        credentials=tuple(websafe_encode(key.credential_id) for key in keys),
        seconds=CHALLENGE_SECONDS,
    )


def require_step_up(
    *,
    ticket: Ticket,
    user: User,
    obligations: Obligations,
    presented: Presented | None,
    terms: bytes = b"",
) -> StepUpProof | None:
    """The proof that this ticket asks of `user`, not yet stored; None where it asks for none.

    Joins the caller's transaction, which holds the ticket's lock; a challenge or code is used up
    with it. `terms` is the digest of what else is agreed to. Raises TargetNotTyped, StepUpRequired,
    PromptOver, PasskeyUnknown, PasskeyUnverified, PasskeyWrong, CodeWrong and TooManyCodes.
    """
    given = presented or NOTHING
    if obligations.type_target and not same_name(given.target, target_name(ticket)):
        raise TargetNotTyped
    if obligations.step_up is StepUp.NONE:
        return None
    if given.assertion:
        return _by_passkey(ticket, user, given.assertion, terms)
    if given.code and obligations.step_up is StepUp.PASSKEY_OR_TOTP:
        return _by_code(ticket, user, given.code, terms)
    raise StepUpRequired(step_up=obligations.step_up.value)


def count_wrong_code(*, user: User) -> None:
    """Remember a wrong code beyond the transaction that was refused because of it."""
    with transaction.atomic(durable=True):
        old = database_now() - timedelta(seconds=CODE_SECONDS)
        WrongCode.objects.filter(user=user, at__lt=old).delete()
        WrongCode.objects.create(user=user)


def _by_passkey(ticket: Ticket, user: User, text: str, terms: bytes) -> StepUpProof:
    party = RelyingParty(origin=conf.passkey_origin())
    try:
        assertion = assertion_from(text)
        challenge = _used(ticket, user, challenge_in(assertion), terms)
        key = _registered(user, assertion.credential_id)
        check(assertion, challenge=challenge_of(challenge), public_key=key.public_key, party=party)
    except NotVerified:
        raise PasskeyUnverified from None
    except AssertionWrong as wrong:
        logger.warning("A passkey's answer for ticket %d was refused: %s", ticket.pk, wrong)
        raise PasskeyWrong(why=str(wrong)) from None
    return StepUpProof(
        user=user,
        method=StepUpProof.Method.PASSKEY,
        statement=challenge,
        challenge=challenge_of(challenge),
        credential_id=assertion.credential_id,
        credential_name=key.name,
        public_key=key.public_key,
        authenticator_data=assertion.authenticator_data,
        client_data=assertion.client_data,
        signature=assertion.signature,
        origin=party.origin,
    )


def _used(ticket: Ticket, user: User, challenge: bytes, terms: bytes) -> bytes:
    """Use up the challenge; its statement, which is exactly about this ticket as it stands."""
    rows = StepUpChallenge.objects.filter(
        challenge=challenge, user=user, used_at__isnull=True, expires_at__gt=DatabaseNow()
    )
    found = rows.first()
    if found is None or not rows.update(used_at=DatabaseNow()):
        raise PromptOver
    statement = bytes(found.statement)
    nonce = Statement.from_bytes(statement).nonce
    expected = _statement(ticket, user, terms, nonce=nonce).to_bytes()
    if found.ticket_id != ticket.pk or not hmac.compare_digest(statement, expected):
        raise AssertionWrong("it was made for another ticket, revision or person")
    return statement


def _registered(user: User, credential_id: bytes) -> Passkey:
    for key in passkeys_of(user):
        if hmac.compare_digest(key.credential_id, credential_id):
            if not is_registered(user.pk, key.public_key):
                break  # a row that nobody made in the regular way
            return key
    raise PasskeyUnknown


def _by_code(ticket: Ticket, user: User, code: str, terms: bytes) -> StepUpProof:
    recently = database_now() - timedelta(seconds=CODE_SECONDS)
    if WrongCode.objects.filter(user=user, at__gte=recently).count() >= CODE_TRIES:
        raise TooManyCodes
    app = totp_of(user)
    counter = _counter_of(decrypt(app.data["secret"]), code) if app is not None else None
    if app is None or counter is None:
        raise CodeWrong
    used = StepUpProof.objects.filter(user=user, totp_counter__gte=counter)
    if used.exists() or not app.wrap().validate_code(code):
        raise CodeWrong  # it was right, and somebody has used it (here, or to sign in)
    statement = _statement(ticket, user, terms)
    return StepUpProof(
        user=user,
        method=StepUpProof.Method.TOTP,
        statement=statement.to_bytes(),
        challenge=statement.challenge(),
        totp_counter=counter,
    )


def _counter_of(secret: str, code: str) -> int | None:
    """The time step that this code belongs to, if it is a right one now."""
    typed = "".join(code.split())
    for counter in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, counter))
        if hmac.compare_digest(typed.encode(), expected.encode()):
            return int(counter)
    return None


def _statement(ticket: Ticket, user: User, terms: bytes, *, nonce: str = "") -> Statement:
    if len(terms) not in {0, DIGEST_BYTES}:
        raise ValueError(f"terms are named by a digest of {DIGEST_BYTES} bytes")
    return Statement(
        ticket=str(ticket.uid),
        revision=ticket.revision,
        ticket_digest=bytes(ticket.digest).hex(),
        person=str(user.person_id),
        account=str(user.pk),
        terms=terms.hex(),
        nonce=nonce or secrets.token_hex(NONCE_BYTES),
    )


def _require_voter(ticket: Ticket, user: User, obligations: Obligations) -> None:
    """Refuse to ask somebody whose approval would be refused anyway."""
    refusal = why_not(
        user.person_id,
        Answer.APPROVE,
        votes=votes_of(ticket),
        obligations=obligations,
        digest=bytes(ticket.digest),
        eligible=eligible_people(ticket),
        parties=parties_of(
            ticket,
            owner_now=ports.owner_of_agent(ticket.agent_id),
            one_person=conf.one_person(),
        ),
    )
    if refusal is not None:
        raise refusal
