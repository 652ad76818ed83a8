"""The audit record as people read it: who did what to what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.translation import ngettext

from approvals.domain.inspection import InspectedText, inspect
from approvals.models import AuditEvent, Checkpoint
from approvals.presenters.deeds import DEEDS, edge_in_words
from approvals.presenters.timeline import who, words_of
from approvals.presenters.words import figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of one chain; of a `withheld` one neither who acted nor the detail is told yet."""

    id: int
    at: datetime
    subject: InspectedText
    chain_url: str
    ticket_url: str
    seq: int
    withheld: bool
    who: InspectedText
    words: str
    edge: str
    detail: tuple[tuple[str, InspectedText], ...]
    hash: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealStatus:
    """The newest checkpoint."""

    at: datetime
    number: int
    size: str
    root: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """One page of the record."""

    links: tuple[Link, ...]
    subject: str
    seal: SealStatus | None
    older: str
    newest: str


def present_audit(
    events: Sequence[AuditEvent],
    *,
    names: Mapping[UUID, str],
    checkpoint: Checkpoint | None,
    subject: str,
    next_before: int | None,
    is_first: bool,
    withheld: Collection[str] = (),
) -> AuditPage:
    """A page of the record; `withheld` are chains whose beginning is not told yet."""
    here = reverse("approvals:audit")
    chosen = {"subject": subject} if subject else {}
    older = urlencode({**chosen, "before": next_before}) if next_before else ""
    return AuditPage(
        links=tuple(_link(event, names, withheld) for event in events),
        subject=subject,
        seal=_seal(checkpoint),
        older=f"{here}?{older}" if older else "",
        newest="" if is_first else f"{here}?{urlencode(chosen)}" if chosen else here,
    )


def _link(event: AuditEvent, names: Mapping[UUID, str], withheld: Collection[str]) -> Link:
    kind, _, key = event.subject.partition(":")
    is_ticket = kind == "ticket" and _is_uuid(key)
    is_withheld = event.action == "opened" and event.subject in withheld
    actor = "" if is_withheld else who(event.actor, names) or event.actor
    return Link(
        id=event.pk,
        at=event.at,
        subject=inspect(event.subject, identifier_like=True),
        chain_url=f"{reverse('approvals:audit')}?{urlencode({'subject': event.subject})}",
        ticket_url=reverse("approvals:ticket", args=[key]) if is_ticket else "",
        seq=event.seq,
        withheld=is_withheld,
        who=inspect(actor, identifier_like=True),
        words=words_of(event) if is_ticket else _deed(event),
        edge=edge_in_words(event.source, event.target),
        detail=tuple(
            (name, inspect(_value(value), identifier_like=True))
            for name, value in (*_as_recorded(event), *sorted(event.detail.items()))
            if not is_withheld
        ),
        hash=bytes(event.hash).hex(),
        previous=bytes(event.previous).hex(),
    )


def _seal(checkpoint: Checkpoint | None) -> SealStatus | None:
    if checkpoint is None:
        return None
    return SealStatus(
        at=checkpoint.at,
        number=checkpoint.pk,
        size=ngettext("{number} row", "{number} rows", checkpoint.size).format(
            number=figure(checkpoint.size)
        ),
        root=bytes(checkpoint.root).hex(),
        key_id=checkpoint.key_id,
    )


def _deed(event: AuditEvent) -> str:
    """An act that belongs to no ticket, in words."""
    return str(DEEDS[event.action]) if event.action in DEEDS else words_of(event)


def _as_recorded(event: AuditEvent) -> tuple[tuple[str, str], ...]:
    """The names that the record itself gives to the act and to the states of its edge."""
    named = (("action", event.action), ("source", event.source), ("target", event.target))
    return tuple((name, value) for name, value in named if value)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return str(value)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
