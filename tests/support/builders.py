"""A cast and tickets that come about by the real services, so that no test holds a state that
cannot exist.

alice owns the agent robo; bob and carol review; charlie is a stranger; dora is an admin.

    cast = a_cast()
    ticket = a_ticket(cast).pending().approved_by(cast.bob).ticket
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from uuid6 import uuid7

from approvals import api
from approvals.models import ReviewerGroup, Team, Ticket, User
from approvals.services import decisions, gate, people
from tests.support import remembered

NAMES = ("alice", "bob", "carol", "charlie", "dora")
UPSTREAM_DIGEST = b"u" * 32
TOOL_DIGEST = b"t" * 32
ANSWER = b'{"content":[{"text":"done","type":"text"}],"isError":false}'


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Everybody a test needs, in one team with one group of two reviewers."""

    alice: User
    bob: User
    carol: User
    charlie: User
    dora: User
    team_id: UUID
    group_id: UUID
    robo: UUID = field(default_factory=uuid7)
    files: UUID = field(default_factory=uuid7)


def a_cast(tag: str = "") -> Cast:
    """alice, bob and carol in the team `ops`; bob and carol decide for it.

    With a `tag`, such as `-7`, they are bob-7 and so on, in a team and group of their own.
    """
    if tag:
        _make_people(tag)
    else:
        remembered.people("builders", lambda: _make_people(tag))
    found = User.objects.select_related("person").filter(
        email__in=[f"{name}{tag}@example.test" for name in NAMES]
    )
    users = {user.email.removesuffix(f"{tag}@example.test"): user for user in found}
    return Cast(
        **{name: users[name] for name in NAMES},
        team_id=Team.objects.get(slug=f"ops{tag}").pk,
        group_id=ReviewerGroup.objects.get(slug=f"reviewers{tag}").pk,
    )


def _make_people(tag: str) -> None:
    ids = {
        name: people.ensure_person(
            email=f"{name}{tag}@example.test",
            name=f"{name}{tag}",
            password=f"{name}{tag}-long-password",
            is_admin=name == "dora",
        )
        for name in NAMES
    }
    group, team = f"reviewers{tag}", f"ops{tag}"
    people.ensure_group(slug=group, name="Reviewers")
    people.set_members(group=group, people=[ids["bob"], ids["carol"]])
    people.ensure_team(slug=team, name="Operations", default_group=group)
    people.set_members(team=team, people=[ids["alice"], ids["bob"], ids["carol"]])


def a_call(cast: Cast, **changes: object) -> api.Submission:
    """robo calls `delete_file` of the upstream `files`, and comes back for the answer."""
    call = api.Submission(
        agent_id=cast.robo,
        agent_name="robo",
        token_id=None,
        team_id=cast.team_id,
        person_id=cast.alice.person_id,
        upstream_id=cast.files,
        upstream_name="files",
        upstream_digest=UPSTREAM_DIGEST,
        tool_name="delete_file",
        tool_digest=TOOL_DIGEST,
        tool_definition={"name": "delete_file", "inputSchema": {"type": "object"}},
        arguments=b'{"path":"/tmp/report.txt"}',
        agent_says="The report is outdated.",
        waiting=api.Waiting.TASK,
    )
    return replace(call, **changes)  # type: ignore[arg-type]


def judged(call: api.Submission) -> api.Judgement:
    """What the policy of now says about the call."""
    return api.judge(
        api.CallFacts(upstream=call.upstream_name, tool=call.tool_name, agent=call.agent_name)
    )


def a_policy(**obligations: object) -> int:
    """A policy that asks people about everything, with these obligations."""
    return api.publish_policy(document={"rules": [], "defaults": obligations})


class TicketWalk:
    """A ticket on its way; each step is one real service."""

    def __init__(self, cast: Cast, call: api.Submission) -> None:
        self.cast = cast
        self.call = call
        self.submitted: api.Submitted | None = None
        self.claim: api.Claim | None = None

    @property
    def uid(self) -> UUID:
        assert self.submitted is not None, "not submitted yet"
        return self.submitted.ticket.uid

    @property
    def ticket(self) -> Ticket:
        """The row as it stands now."""
        return Ticket.objects.get(uid=self.uid)

    @property
    def view(self) -> api.TicketView:
        """What the agent may be told now."""
        return api.view(uid=self.uid, agent_id=self.call.agent_id)

    def pending(self) -> TicketWalk:
        """Submitted; people are asked."""
        self.submitted = api.submit(call=self.call, judgement=judged(self.call))
        return self

    def voted(
        self, user: User, answer: api.Answer, *, reason: str = "", nonce: str | None = None
    ) -> TicketWalk:
        """One person's vote."""
        decisions.decide(
            uid=self.uid,
            user=user,
            verdict=answer,
            seen_digest=bytes(self.ticket.digest),
            reason=reason,
            nonce=nonce or str(uuid7()),
        )
        return self

    def approved_by(self, *users: User) -> TicketWalk:
        """Submitted if need be, and approved by each of these people."""
        if self.submitted is None:
            self.pending()
        for user in users:
            self.voted(user, api.Answer.APPROVE)
        return self

    def rejected_by(self, user: User, reason: str = "") -> TicketWalk:
        """Submitted if need be, and rejected."""
        if self.submitted is None:
            self.pending()
        return self.voted(user, api.Answer.REJECT, reason=reason)

    def claimed(self, worker: str = "w1") -> TicketWalk:
        """Approved by bob if need be, and claimed by a worker."""
        if self.submitted is None:
            self.approved_by(self.cast.bob)
        self.claim = api.claim(uid=self.uid, worker=worker)
        assert self.claim is not None, "the ticket could not be claimed"
        return self

    def sent(self) -> TicketWalk:
        """Claimed if need be, and on its way."""
        if self.claim is None:
            self.claimed()
        assert self.claim is not None
        api.record_send(
            self.claim,
            tool_digest=self.claim.tool_digest,
            upstream_digest=self.claim.upstream_digest,
            epoch=api.gate().epoch,
        )
        return self

    def succeeded(self, result: bytes = ANSWER) -> TicketWalk:
        """Sent if need be, and answered with a result."""
        claim = self._sent_claim()
        api.settle_succeeded(claim, result)
        return self

    def failed(self, error: bytes = b'{"error":{"code":-1,"message":"no"}}') -> TicketWalk:
        """Sent if need be, and answered with an error."""
        claim = self._sent_claim()
        api.settle_failed(claim, error)
        return self

    def unknown(self, reason: api.UnknownReason = api.UnknownReason.TIMEOUT) -> TicketWalk:
        """Sent if need be, and never answered."""
        claim = self._sent_claim()
        api.settle_unknown(claim, reason)
        return self

    def _sent_claim(self) -> api.Claim:
        if self.claim is None or self.ticket.state != api.State.SENT:
            self.sent()
        assert self.claim is not None
        return self.claim


def a_ticket(cast: Cast, **changes: object) -> TicketWalk:
    """A ticket of robo's, not yet submitted."""
    return TicketWalk(cast, a_call(cast, **changes))


def killed(cast: Cast) -> None:
    """The kill switch is on."""
    gate.kill(user=cast.dora)
