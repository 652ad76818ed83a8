"""Whether the approvals of one ticket are what they claim: whose, over what, signed or not.

Works from stored rows alone, without a browser, an authenticator or the network: signatures are
checked against the ticket's digest made anew from its rows, and keys against the record of their
registration. `verify_audit` looks at the whole record, this at the meaning of a few rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from approvals.audit.binding import ticket_binding
from approvals.audit.chain import ticket_subject
from approvals.audit.fingerprints import fingerprint, row_label
from approvals.audit.registrations import is_registered
from approvals.audit.replay import Replay
from approvals.audit.sealing import PayloadPurged, SealBroken, unseal
from approvals.domain.assertion import Assertion, AssertionWrong, RelyingParty, check
from approvals.domain.canonical import ticket_digest
from approvals.domain.obligations import obligations_from
from approvals.domain.quorum import Answer, Vote, standing_votes
from approvals.domain.stepup import (
    APPROVE,
    Statement,
    StatementUnreadable,
    StepUp,
    challenge_of,
    terms_digest,
)
from approvals.models import AgreedTerms, AuditEvent, Decision, StepUpProof, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One approval. `counts` unless it was taken back or given to another revision."""

    person: str
    account: str
    at: datetime
    revision: int
    counts: bool
    how: str  # signed, unsigned or session
    key: str = ""  # what its owner calls the passkey
    problems: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Report:
    """What was found about one ticket; `problems` concern the ticket as a whole."""

    approvals: list[Checked] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether anything does not add up."""
        return bool(self.problems) or any(found.problems for found in self.approvals)


def verify_approvals(ticket: Ticket) -> Report:
    """Check every approval of `ticket`, those that count and those that do not."""
    report = Report()
    replay = Replay(ticket_subject(ticket.uid))
    for event in AuditEvent.objects.filter(subject=replay.subject).order_by("seq"):
        replay.add(event)
    report.problems += [found.problem for found in (*replay.own, *replay.chain)]
    if replay.attested.get(row_label(ticket)) != fingerprint(ticket):
        report.problems.append("the ticket's row is not as its last audit row left it")
    _digest(ticket, report)
    decisions = list(
        Decision.objects.filter(ticket=ticket)
        .select_related("person", "user", "proof", "terms")
        .order_by("created_at", "id")
    )
    standing = standing_votes(
        [
            Vote(person=d.person_id, answer=Answer(d.verdict), digest=bytes(d.seen_digest))
            for d in decisions
            if d.revision == ticket.revision
        ],
        digest=bytes(ticket.digest),
    )
    last = {d.person_id: d.pk for d in decisions if d.revision == ticket.revision}
    asked = obligations_from(ticket.obligations).step_up
    for decision in decisions:
        if decision.verdict != Decision.Verdict.APPROVE:
            continue
        counts = (
            standing.get(decision.person_id) is Answer.APPROVE
            and last[decision.person_id] == decision.pk
        )
        report.approvals.append(_checked(decision, ticket, replay, asked, counts=counts))
    return report


def _digest(ticket: Ticket, report: Report) -> None:
    """Make the digest anew from what the rows hold."""
    try:
        made = ticket_digest(ticket_binding(ticket, unseal(ticket.arguments)))
    except PayloadPurged:
        report.notes.append(
            "its arguments were purged: signatures are checked against the recorded digest"
        )
    except (SealBroken, TypeError, ValueError):
        report.problems.append("its arguments cannot be read to make its digest anew")
    else:
        if made != bytes(ticket.digest):
            report.problems.append("its digest is not that of what it binds")


def _checked(
    decision: Decision, ticket: Ticket, replay: Replay, asked: StepUp, *, counts: bool
) -> Checked:
    proof: StepUpProof | None = getattr(decision, "proof", None)
    problems = list(_rows(decision, proof, replay))
    if counts and bytes(decision.seen_digest) != bytes(ticket.digest):
        problems.append("it was given to another digest")
    if proof is not None:
        problems += _statement(decision, ticket, proof)
    if proof is not None and proof.method == StepUpProof.Method.PASSKEY:
        problems += _signature(decision, proof)
    if counts and asked is not StepUp.NONE and proof is None:
        problems.append("the ticket asks for a passkey, and there is no proof of one")
    elif counts and asked is StepUp.PASSKEY and proof and proof.method != "passkey":
        problems.append("the ticket asks for a passkey, and this is a code")
    return Checked(
        person=decision.person.name,
        account=decision.user.email,
        at=decision.created_at,
        revision=decision.revision,
        counts=counts,
        how="session" if proof is None else "signed" if proof.method == "passkey" else "unsigned",
        key=proof.credential_name if proof is not None else "",
        problems=tuple(problems),
    )


def _rows(decision: Decision, proof: StepUpProof | None, replay: Replay) -> Iterator[str]:
    """The rows themselves, against what the ticket's chain says of them."""
    for row in (decision, proof):
        if row is not None and replay.attested.get(row_label(row)) != fingerprint(row):
            yield f"{row_label(row)} is not as the audit record has it"


def _statement(decision: Decision, ticket: Ticket, proof: StepUpProof) -> Iterator[str]:
    """What was put before the person, against what the approval says."""
    stored = bytes(proof.statement)
    if challenge_of(stored) != bytes(proof.challenge):
        yield "its challenge is not that of its statement"
    try:
        told = Statement.from_bytes(stored)
    except StatementUnreadable as problem:
        yield f"its statement cannot be read: {problem}"
        return
    agreed: AgreedTerms | None = getattr(decision, "terms", None)
    expected = Statement(
        act=APPROVE,
        ticket=str(ticket.uid),
        revision=decision.revision,
        ticket_digest=bytes(decision.seen_digest).hex(),
        person=str(decision.person_id),
        account=str(decision.user_id),
        terms=terms_digest(agreed.as_terms()).hex() if agreed is not None else "",
        nonce=told.nonce,
    )
    for name in ("act", "ticket", "revision", "ticket_digest", "person", "account", "terms"):
        if getattr(told, name) != getattr(expected, name):
            yield f"its statement is about another {name.replace('_', ' ')}"


def _signature(decision: Decision, proof: StepUpProof) -> Iterator[str]:
    """The signature itself, and that its key was the account's at that time."""
    try:
        check(
            Assertion(
                credential_id=bytes(proof.credential_id),
                authenticator_data=bytes(proof.authenticator_data),
                client_data=bytes(proof.client_data),
                signature=bytes(proof.signature),
            ),
            challenge=challenge_of(bytes(proof.statement)),
            public_key=bytes(proof.public_key),
            party=RelyingParty(origin=proof.origin),
        )
    except AssertionWrong as wrong:
        yield f"its signature does not hold: {wrong}"
    if not is_registered(decision.user_id, bytes(proof.public_key), at=decision.created_at):
        yield "the record does not show its key registered to this account at that time"
