"""The second factors of people's accounts: which there are, and the record of each change.

The rows are allauth's. Each change is written into the audit chain of its account with digests of
the credential and its key, so that a signature can be traced to a registered key offline.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from fido2 import cbor
from fido2.utils import websafe_decode
from fido2.webauthn import AttestationObject

from approvals import conf
from approvals.audit import append
from approvals.audit.registrations import account_subject, key_digest
from approvals.domain.assertion import AssertionWrong, origin_of
from approvals.domain.canonical import JSON
from approvals.domain.telling import Kind
from approvals.models import Person, User
from approvals.services import actors
from approvals.services.notifications import tell

PASSKEY: Final = Authenticator.Type.WEBAUTHN.value
TOTP: Final = Authenticator.Type.TOTP.value
_CODES: Final = {"added": "codes_made", "removed": "codes_removed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One registered passkey. `public_key` is COSE in CBOR, as it was registered."""

    name: str
    credential_id: bytes
    public_key: bytes


def passkeys_of(user: User) -> tuple[Passkey, ...]:
    """The passkeys of one account, oldest first."""
    rows = Authenticator.objects.filter(user=user, type=PASSKEY).order_by("pk")
    return tuple(_passkey(row) for row in rows)


def kinds_of(user: User) -> frozenset[str]:
    """Which of PASSKEY and TOTP the account has; one query."""
    rows = Authenticator.objects.filter(user=user, type__in=(PASSKEY, TOTP))
    return frozenset(rows.values_list("type", flat=True))


def totp_of(user: User) -> Authenticator | None:
    """The account's authenticator app."""
    found: Authenticator | None = Authenticator.objects.filter(user=user, type=TOTP).first()
    return found


def people_with(factor: str, people: Collection[UUID]) -> frozenset[UUID]:
    """Those of `people` who have this factor (PASSKEY or TOTP) on an account that can sign in."""
    ready = Authenticator.objects.filter(type=factor).values("user")
    able = Person.objects.filter(pk__in=people, accounts__in=ready, accounts__is_active=True)
    return frozenset(able.values_list("pk", flat=True))


def signed_at_home(credential: str) -> bool:
    """Whether a browser's credential (JSON) was made on this installation's one origin."""
    try:
        told = json.loads(credential)["response"]["clientDataJSON"]
        origin = origin_of(websafe_decode(told))
    except (AssertionWrong, KeyError, TypeError, ValueError, RecursionError):
        return False
    return bool(origin) and origin == conf.passkey_origin()


def factors_of(user: User) -> dict[str, dict[str, JSON]]:
    """What the account has now, by a name that no later factor gets again."""
    return {
        f"{row.type}:{row.pk}": _described(row)
        for row in Authenticator.objects.filter(user=user).order_by("pk")
    }


def record_changes(
    *, user: User, before: dict[str, dict[str, JSON]], actor: str = ""
) -> tuple[str, ...]:
    """Write each factor that came or went into the account's chain, and note whom to tell. Joins.

    `actor` is the account's own person unless named. Returns what changed in stable words, such as
    `passkey_added`.
    """
    now = factors_of(user)
    changes = [("added", name, now[name]) for name in now if name not in before]
    changes += [("removed", name, before[name]) for name in before if name not in now]
    told = []
    for verb, name, factor in changes:
        action = f"{factor['kind']}_{verb}" if factor["kind"] != "codes" else _CODES[verb]
        append(
            subject=account_subject(user.pk),
            actor=actor or actors.person(user.person_id),
            action=action,
            detail=factor,
        )
        tell(kind=Kind.CREDENTIAL, people=[user.person_id], occasion=f"{action}:{name}")
        told.append(action)
    return tuple(told)


def remove_all(*, user: User, actor: str) -> tuple[str, ...]:
    """Remove every factor of an account whose owner lost them; what was removed, in stable words.

    Joins. For an operator at the console: the password then opens the account again.
    """
    before = factors_of(user)
    Authenticator.objects.filter(user=user).delete()
    return record_changes(user=user, before=before, actor=actor)


def _described(row: Authenticator) -> dict[str, JSON]:
    """What the audit record says of a factor: digests, never secrets or names."""
    if row.type != PASSKEY:
        return {"kind": "totp" if row.type == TOTP else "codes", "factor": row.pk}
    key = _passkey(row)
    return {
        "kind": "passkey",
        "factor": row.pk,
        "credential": hashlib.sha256(key.credential_id).hexdigest(),
        "public_key": key_digest(key.public_key),
    }


def _passkey(row: Authenticator) -> Passkey:
    response = row.data["credential"]["response"]
    attestation = AttestationObject(websafe_decode(response["attestationObject"]))
    credential = attestation.auth_data.credential_data
    if credential is None:
        raise ValueError(f"authenticator {row.pk} holds no credential")
    return Passkey(
        name=str(row.data.get("name", ""))[:100],
        credential_id=bytes(credential.credential_id),
        public_key=cbor.encode(dict(credential.public_key)),
    )
