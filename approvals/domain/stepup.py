"""What a high-risk approval asks of the person who gives it, and the statement a passkey signs.

Pure: knows neither rows nor browsers. `assertion` checks the signature over the challenge.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final

from approvals.domain.canonical import JSON, canonical_bytes, digest, digest_of_bytes
from approvals.domain.pins import Terms

STATEMENT_FORMAT: Final = 1
MAX_TYPED: Final = 400  # characters
APPROVE: Final = "approve"  # the act that is signed


class StepUp(StrEnum):
    """How a person proves to be present, the weakest first."""

    NONE = "none"
    PASSKEY_OR_TOTP = "passkey_or_totp"  # a code from an authenticator app signs nothing
    PASSKEY = "passkey"

    @property
    def strictness(self) -> int:
        """A number that grows with what is asked."""
        return list(StepUp).index(self)


class StatementUnreadable(ValueError):
    """These bytes are no statement of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person signs: this act, on this ticket in this revision, as this person, once.

    Digests and the nonce are spelled in hex. `terms` is the digest of what else is agreed to (the
    terms of a grant), or empty.
    """

    format: int = STATEMENT_FORMAT
    act: str = APPROVE
    ticket: str
    revision: int
    ticket_digest: str
    person: str
    account: str
    terms: str = ""
    nonce: str

    def to_bytes(self) -> bytes:
        """The canonical bytes, as they are stored."""
        return canonical_bytes(asdict(self))

    def challenge(self) -> bytes:
        """What the authenticator is given to sign (32 bytes)."""
        return challenge_of(self.to_bytes())

    @classmethod
    def from_bytes(cls, stored: bytes) -> Statement:
        """Read it back; raises StatementUnreadable unless it is spelled as we spell it."""
        try:
            found = json.loads(stored)
            if not isinstance(found, dict) or set(found) != {field.name for field in fields(cls)}:
                raise StatementUnreadable("its fields are not those of a statement")
            statement = cls(**found)
            if statement.format != STATEMENT_FORMAT or statement.to_bytes() != stored:
                raise StatementUnreadable("it is not spelled as a statement is")
        except (TypeError, ValueError) as problem:
            raise StatementUnreadable(str(problem)) from None
        return statement


def challenge_of(statement: bytes) -> bytes:
    """The challenge (32 bytes) that stands for the stored bytes of a statement."""
    return digest_of_bytes("approval-step-up", statement)


def terms_digest(terms: Terms) -> bytes:
    """How a statement names the terms of a standing permission that is agreed to (32 bytes)."""
    free = list[JSON](terms.free)
    return digest("grant-terms", {**asdict(terms), "free": free})


def same_name(typed: str, wanted: str) -> bool:
    """Whether what was typed is exactly this name, however its accents are composed."""
    if len(typed) > MAX_TYPED:
        return False
    return unicodedata.normalize("NFC", typed.strip()) == unicodedata.normalize("NFC", wanted)
