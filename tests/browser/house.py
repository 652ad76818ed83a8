"""One installation with something of every sort in it, and the addresses of all its pages."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from uuid6 import uuid7

from approvals import api, courier
from approvals.audit.checkpoints import seal_checkpoint
from approvals.domain.canonical import canonical_bytes
from approvals.domain.pins import Terms
from approvals.domain.quorum import Answer
from approvals.domain.traps import Trap
from approvals.models import Channel, Person, ReviewerGroup
from approvals.services import conversation, editing, handover
from approvals.services.canaries import seed_canary
from approvals.services.channels import add_chat, add_room
from approvals.services.decisions import decide
from approvals.services.delegation import declare_absence
from approvals.services.grants import Wanted
from approvals.services.verifying import ask_to_verify, verify_if_asked
from mcpbridge.administration import (
    AgentSettings,
    UpstreamSettings,
    create_agent,
    create_upstream,
    issue_token,
    revoke_token,
)
from tests.mcpbridge.web.conftest import a_tool, offered
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket

READING = {"name": "reads", "tool": "read_*", "effect": "allow"}
WRITING = {"name": "writes", "effect": "require_approval", "obligations": {"quorum": 2}}


def a_full_house(cast: Cast) -> list[str]:
    """Tickets of every sort; the addresses of all pages."""
    Person.objects.filter(pk=cast.bob.person_id).update(is_admin=True)
    a_policy(quorum=2, reason_required=True)
    tickets = [
        a_ticket(
            cast,
            arguments=canonical_bytes(
                {"path": "a\u202etxt.sh", "empty": "", "long": "text of many lines\n" * 500}
            ),
        )
        .pending()
        .voted(cast.carol, Answer.APPROVE, reason="as planned"),
        a_ticket(cast, arguments=canonical_bytes({"path": "/b", "on": True})),
    ]
    a_policy(quorum=1)
    tickets += [
        a_ticket(cast, arguments=b'{"path":"/c"}').succeeded(),
        a_ticket(cast, arguments=b'{"path":"/d"}').unknown(),
        a_ticket(cast, arguments=b'{"path":"/e"}').rejected_by(cast.bob, reason="no"),
        a_ticket(cast, arguments=b'{"path":"/c","more":1}').pending(),
    ]
    talked_about(cast, tickets[-1])
    seal_checkpoint()
    ask_to_verify(user=cast.dora)
    verify_if_asked()
    addresses = [f"/tickets/{walk.uid}/" for walk in tickets if walk.submitted]
    addresses.append(f"/tickets/{tickets[-1].uid}/edit/")
    pages = ["/", "/history/", "/audit/", "/kill-switch/", "/account/", *addresses]
    pages += ["/accounts/password/change/"]
    pages += the_pages_of_people_who_come_and_go(cast)
    pages += the_pages_about_being_told(cast)
    return pages + more_than_once(cast) + the_admins_pages(cast)


def more_than_once(cast: Cast) -> list[str]:
    """A permission, a test and numbers; the pages about them and about several tickets at once."""
    walk = a_ticket(cast, arguments=b'{"path":"/x","url":"https://a.example.test/"}').pending()
    decided = decide(
        uid=walk.uid,
        user=cast.carol,
        verdict=Answer.APPROVE,
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce="n",
        grant=Wanted(terms=Terms(session_only=False, free=("/path",), max_uses=2, seconds=3600)),
    )
    seed_canary(user=cast.dora, like=walk.uid, trap=Trap.HOST, right=Answer.REJECT)
    odd = a_ticket(cast, arguments=b'{"path":"/y"}').pending()
    return [
        f"/tickets/{odd.uid}/grant/?for=agent&uses=2&seconds=60&free=/path",
        "/grants/",
        f"/grants/{decided.grant}/",
        "/tests/",
        "/measures/",
        f"/batch/?ticket={odd.uid}",
    ]


def talked_about(cast: Cast, walk: TicketWalk) -> None:
    """A ticket that was edited, asked about, and handed to bob."""
    editing.edit_arguments(
        uid=walk.uid,
        user=cast.carol,
        raw='{"path": "/c\u202e", "more": [1, 2], "force": true}'.encode(),
        seen_digest=bytes(walk.ticket.digest),
        reason="a safer place",
        nonce="1",
    )
    conversation.ask_owner(uid=walk.uid, user=cast.carol, words="Why now?", nonce="1")
    handover.hand_on(
        uid=walk.uid, user=cast.carol, to_person=cast.bob.person_id, words="yours", nonce="1"
    )


def the_pages_of_people_who_come_and_go(cast: Cast) -> list[str]:
    """A flood of calls whose agent was paused, and somebody who is away."""
    for number in range(5):
        a_ticket(cast, tool_name="flood", arguments=b'{"n":%d}' % number).pending()
    other = a_ticket(cast, agent_id=uuid7(), agent_name="nightly").pending()
    api.pause_agent(agent_id=other.call.agent_id, user=cast.bob)
    declare_absence(
        user=cast.carol,
        starts_at=timezone.now() + timedelta(days=1),
        ends_at=timezone.now() + timedelta(days=2),
        delegate_id=cast.bob.person_id,
        group_ids=[cast.group_id],
    )
    return ["/away/", f"/bursts/{cast.robo}/?upstream={cast.files}&tool=flood"]


def the_pages_about_being_told(cast: Cast) -> list[str]:
    """A person's channels, one of which failed, a room, and the members who take turns."""
    failing = add_chat(user=cast.bob, url="ntfys://a-topic", label="Phone \u202e")
    Channel.objects.filter(pk=failing).update(
        failing_since=timezone.now(), failures=1, last_error="the receiver did not answer in time"
    )
    add_room(
        user=cast.dora, sort="webhook", group_id=cast.group_id, team_id=None,
        url="https://hooks.example/1", label="Bridge", kinds=["needs_you"], detailed=False,
        allow_private=False,
    )  # fmt: skip
    courier.look()
    group = ReviewerGroup.objects.get(pk=cast.group_id)
    return ["/notifications/", "/notices/?show=waiting", f"/notices/on-call/{group.slug}/"]


def the_admins_pages(cast: Cast) -> list[str]:
    """An upstream with tools in use and held, an agent with a token, and the pages about them."""
    name = f"files-{cast.files.hex[-8:]}"
    upstream = create_upstream(
        actor="system:test",
        name=name,
        settings=UpstreamSettings(
            transport="http",
            url="https://files.example.test/mcp",
            team_ids=frozenset({cast.team_id}),
            pin_on_first_contact=True,
        ),
    )
    offered(upstream, a_tool("read_file"), a_tool("delete_file"))
    offered(upstream, a_tool("read_file", "Reads \u202eit."), a_tool("delete_file"), a_tool("new"))
    settings = AgentSettings(owner_id=cast.alice.person_id, team_id=cast.team_id)
    agent = create_agent(actor="system:test", name=name, settings=settings)
    revoke_token(actor="system:test", token_id=issue_token(actor="a", agent=agent).token_id)
    issue_token(actor="system:test", agent=agent, label="night shift")
    api.publish_policy(document={"rules": [READING, WRITING]})
    one = ("", "new/", f"{name}/")
    return [
        *(f"/manage/upstreams/{page}" for page in (*one, f"{name}/settings/")),
        *(f"/manage/agents/{page}" for page in one),
        "/manage/policy/",
        "/manage/questions/",
    ]
