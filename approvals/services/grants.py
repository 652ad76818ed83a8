"""Standing permissions: agreed to at the vote, narrow, counted, revocable.

An approval may carry terms: for how long, how often, and which members of the arguments are left
open. When everybody whose approval the ticket needs agreed to the same terms, the vote that
completes the quorum also makes the permission. It allows this agent, this tool as it was then, and
arguments that are the same but for what was left open. It never widens by itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import prefetch_related_objects

from approvals import conf, ports, transitions
from approvals.audit.sealing import unseal
from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.errors import NotVisible, Refusal
from approvals.domain.forms import form_in
from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.pins import Terms, members, obligations_cover, without
from approvals.domain.quorum import Resolution
from approvals.domain.states import CancelReason
from approvals.domain.wording import say
from approvals.models import AgreedTerms, Decision, Grant, Ticket, User, after_seconds, plain
from approvals.selectors import grants as selectors
from approvals.selectors.agreement import AGREEMENT, agreed_terms, backed
from approvals.selectors.votes import eligible_people
from approvals.services import actors
from approvals.services.tickets import definition_of

MAX_USES: Final = 1000
MAX_SECONDS: Final = 30 * 24 * 3600


class GrantRefused(Refusal):
    """This ticket cannot become a standing permission."""

    kind = "invalid"


class RejectedBefore(Refusal):
    """People rejected calls that this permission would allow. Confirm that you know."""

    kind = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Terms as an approval carries them; `confirmed` says that past rejections were seen."""

    terms: Terms
    confirmed: bool = False


def require_grantable(*, ticket: Ticket, user: User, wanted: Wanted) -> None:
    """Refuse terms that this ticket cannot bear. Raises GrantRefused or RejectedBefore."""
    terms = wanted.terms
    if not 1 <= terms.max_uses <= MAX_USES:
        raise GrantRefused(
            say(
                "A permission has 1 to {most} uses, not {uses}.", most=MAX_USES, uses=terms.max_uses
            )
        )
    if not 1 <= terms.seconds <= MAX_SECONDS:
        raise GrantRefused(
            say(
                "A permission lasts 1 to {most} seconds, not {seconds}.",
                most=MAX_SECONDS,
                seconds=terms.seconds,
            )
        )
    if asks_for_an_answer(ticket):
        raise GrantRefused(
            say("This ticket asks a person for an answer, which nothing can give ahead.")
        )
    if terms.session_only and not selectors.session_of(ticket):
        raise GrantRefused(say("This call came in no session to keep a permission to."))
    offered = {member.pointer for member in members(read_canonical(unseal(ticket.arguments)))}
    if list(terms.free) != sorted(set(terms.free)) or not offered.issuperset(terms.free):
        raise GrantRefused(say("Only arguments that this call has can be left open, each once."))
    past = selectors.past_like(ticket, user.person, free=terms.free)
    if past.rejected and not wanted.confirmed:
        raise RejectedBefore(rejected=len(past.rejected))


def asks_for_an_answer(ticket: Ticket) -> bool:
    """Whether an approval of the ticket carries an answer that somebody has to type."""
    return bool(form_in(definition_of(ticket)))


def agree(*, decision: Decision, ticket: Ticket, terms: Terms) -> AgreedTerms:
    """Store the terms beside the approval that carries them. Joins."""
    return AgreedTerms.objects.create(
        decision=decision,
        ticket=ticket,
        session_only=terms.session_only,
        free=list(terms.free),
        max_uses=terms.max_uses,
        seconds=terms.seconds,
    )


def grant_if_agreed(
    *,
    ticket: Ticket,
    terms: Terms,
    add_up: Callable[[Collection[UUID]], Resolution],
    user: User,
) -> UUID | None:
    """Make the permission if the approvals that agreed to these very terms suffice alone. Joins.

    `add_up` resolves the approvals of some people as the ticket's own quorum does: whatever the
    ticket needed (groups, numbers, distinct people), the permission needs of those who agreed.
    """
    agreed = {person for person, theirs in agreed_terms(ticket).items() if theirs == terms}
    if add_up(agreed).state != "approved":
        return None
    arguments = read_canonical(unseal(ticket.arguments))
    grant = transitions.make_grant(
        grant=Grant(
            team_id=ticket.team_id,
            made_from=ticket,
            agent_id=ticket.agent_id,
            upstream_id=ticket.upstream_id,
            tool_name=ticket.tool_name,
            tool_digest=ticket.tool_digest,
            upstream_digest=ticket.upstream_digest,
            pins={
                "free": list(terms.free),
                "rest": _rest(arguments, terms.free),
                "session": selectors.session_of(ticket) if terms.session_only else "",
            },
            obligations=ticket.obligations,
            max_uses=terms.max_uses,
            expires_at=after_seconds(terms.seconds),
            granted_by_id=user.person_id,
        ),
        actor=actors.person(user.person_id),
    )
    return grant.pk


def revoke_grant(*, grant_id: UUID, user: User) -> int:
    """Take a standing permission back; how many tickets it had opened were still unsent.

    Eligible reviewers of its ticket and admins may. Raises NotVisible.
    """
    with transaction.atomic(durable=True):
        transitions.gate_for_share()
        grant = Grant.objects.select_related("made_from").filter(pk=grant_id).first()
        if grant is None or not user.is_active:
            raise NotVisible(grant=str(grant_id))
        if not (user.person.is_admin or user.person_id in eligible_people(grant.made_from)):
            raise NotVisible(grant=str(grant_id))
        return 0 if grant.revoked_at is not None else _revoke(grant, user)


def revoke_made_from(ticket: Ticket, user: User) -> None:
    """An approval that is taken back takes with it the permission that it gave. Joins."""
    for grant in Grant.objects.filter(made_from=ticket, revoked_at__isnull=True):
        _revoke(grant, user)


def _revoke(grant: Grant, user: User) -> int:
    actor = actors.person(user.person_id)
    transitions.revoke_grant(grant_id=grant.pk, person_id=user.person_id, actor=actor)
    tickets = list(selectors.unsent_of(grant).select_for_update().order_by("pk"))
    for ticket in tickets:
        transitions.cancel(ticket_id=ticket.pk, reason=CancelReason.GRANT_REVOKED, actor=actor)
        transaction.on_commit(partial(ports.ended, ticket.uid))
    return len(tickets)


def matching_grants(ticket: Ticket, arguments: bytes, *, session: str = "") -> list[UUID]:
    """The live grants that allow this very call, narrowest deadline first.

    Those who agreed to one have to be people who could still agree to it.
    """
    standing = "SELECT 1 FROM approvals_grant WHERE agent_id = %s AND revoked_at IS NULL LIMIT 1"
    if plain.one(standing, ticket.agent_id) is None:
        return []  # as for most agents
    live = Grant.objects.filter(
        selectors.live(),
        ~selectors.unresolved_outcome(),
        team_id=ticket.team_id,
        agent_id=ticket.agent_id,
        upstream_id=ticket.upstream_id,
        tool_name=ticket.tool_name,
        tool_digest=ticket.tool_digest,
        upstream_digest=ticket.upstream_digest,
    ).order_by("expires_at", "pk")
    found = list(live)
    if not found:
        return []
    value = read_canonical(arguments)
    covering = [grant for grant in found if _covers(grant, ticket, value, session)]
    if not covering:
        return []
    prefetch_related_objects(covering, *AGREEMENT)
    owners = {ticket.agent_id: ports.owner_of_agent(ticket.agent_id)}
    held = backed(covering, owners=owners, one_person=conf.one_person())
    return [grant.pk for grant in covering if grant.pk in held]


def _covers(grant: Grant, ticket: Ticket, arguments: JSON, session: str) -> bool:
    """Whether every pin holds, and as many of the same people agreed as policy wants now."""
    bound = grant.pins["session"]
    if bound and not hmac.compare_digest(bound, session):
        return False
    if not obligations_cover(grant.obligations, ticket.obligations):
        return False
    return hmac.compare_digest(_rest(arguments, grant.pins["free"]), grant.pins["rest"])


def _rest(arguments: JSON, free: Sequence[str]) -> str:
    """A keyed digest of all that is not left open, so that a stored pin tells no argument."""
    pinned = canonical_bytes(without(arguments, free))
    return hmac.digest(conf.repeat_key(), b"pins\0" + pinned, "sha256").hex()
