"""Hostile names of everything that a page can name, on every page that can be opened."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

from django.urls import reverse
from uuid6 import uuid7

from approvals import api, courier
from approvals.domain.canonical import canonical_bytes
from approvals.domain.pins import Terms
from approvals.domain.traps import Trap
from approvals.models import (
    Channel,
    Delivery,
    Person,
    ReviewerGroup,
    Team,
    database_now,
)
from approvals.presenters.bursts import burst_url
from approvals.services import conversation, editing, handover
from approvals.services.canaries import seed_canary
from approvals.services.channels import add_chat, add_room
from approvals.services.decisions import decide
from approvals.services.delegation import declare_absence
from approvals.services.grants import Wanted
from approvals.services.verifying import ask_to_verify
from approvals.web.urls import urlpatterns
from tests.approvals.web.conftest import SignIn
from tests.approvals.web.test_hostile_text import STORED
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket
from tests.support.hostile import ESSENCE, FORMULA, HOSTILE, judged, misleading, packed, unseen

NAMES = list(packed(250))
ALL = "\n".join(hostile.text for hostile in HOSTILE)
POSTS_ONLY = {
    "absence-end", "annotate", "audit-verify", "cancel", "channel", "channel-mail", "chat-new",
    "decide", "delivery-retry", "grant-revoke", "hand-on", "push-new", "resume-agent", "revoke",
    "room-new", "say", "snooze", "step-up", "wake", "withdraw",
}  # fmt: skip
NO_PAGES = {"by-number", "history-export", "manifest", "push-worker"}


def named(name: str, **changes: Any) -> dict[str, Any]:
    """A call whose agent, upstream, tool and session all have this name."""
    return {
        "agent_name": name[:120],
        "upstream_name": name[:64],
        "tool_name": name,
        "session_label": name[:200],
        "tool_definition": {"name": name, "title": name, "description": name},
        "arguments": canonical_bytes({"path": name, "url": "https://files.example.test/"}),
        "agent_says": name,
        "max_open_tickets": 1000,
        **changes,
    }


def granted(walk: TicketWalk) -> Any:
    """The permission that bob gives with his approval."""
    return decide(
        uid=walk.uid,
        user=walk.cast.bob,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(walk.ticket.digest),
        reason=ESSENCE,
        nonce="grant",
        grant=Wanted(terms=Terms(session_only=False, free=(), max_uses=2, seconds=600)),
    ).grant


def talked_about(walk: TicketWalk) -> None:
    """Edited, asked about and handed to bob."""
    cast, uid = walk.cast, walk.uid
    editing.edit_arguments(
        uid=uid,
        user=cast.carol,
        raw=canonical_bytes({"path": ALL, ESSENCE: ESSENCE}),
        seen_digest=bytes(walk.ticket.digest),
        reason=ALL,
        nonce="1",
    )
    conversation.ask_owner(uid=uid, user=cast.carol, words=ALL, nonce="2")
    conversation.comment(uid=uid, user=cast.alice, words=ALL, nonce="3")
    handover.hand_on(uid=uid, user=cast.carol, to_person=cast.bob.person_id, words=ALL, nonce="4")


def told_about(cast: Cast) -> None:
    """Channels whose labels are hostile, one of which failed with a hostile reason."""
    failing = add_chat(user=cast.bob, url="ntfys://a-topic", label=ESSENCE[:80])
    add_room(
        user=cast.dora, sort="webhook", group_id=cast.group_id, team_id=None,
        url="https://hooks.example/1", label=ESSENCE[:80], kinds=["needs_you"], detailed=False,
        allow_private=False,
    )  # fmt: skip
    courier.look()
    Channel.objects.filter(pk=failing).update(
        failing_since=database_now(), failures=1, last_error=ESSENCE[:200]
    )
    Delivery.objects.filter(channel=failing).update(
        state=Delivery.State.FAILED, ended_at=database_now(), why=ESSENCE[:200]
    )


def renamed(cast: Cast) -> None:
    """Everybody and everything else is called something else now."""
    Person.objects.update(name=ESSENCE[:120])
    Team.objects.update(name=ESSENCE[:120])
    ReviewerGroup.objects.update(name=ESSENCE[:120])


def a_hostile_house(cast: Cast) -> dict[str, list[str]]:
    """One of everything that a page can name; the addresses by the names that the URLs have.

    Bob is an admin as well, and seeds the tests: nobody else is shown them while they wait.
    """
    a_policy()
    cast.bob.person.is_admin = True
    cast.bob.person.save(update_fields=["is_admin"])
    ask_to_verify(user=cast.bob)
    past = [a_ticket(cast, **named(name, agent_id=uuid7())).pending() for name in NAMES]
    grant = granted(a_ticket(cast, **named(ESSENCE)).pending())
    tests = [
        seed_canary(user=cast.bob, like=walk.uid, trap=Trap.HOST, right=api.Answer.REJECT)
        for walk in past
    ]
    handed, open_one = [
        a_ticket(cast, **named(ESSENCE, arguments=canonical_bytes({"path": path}))).pending()
        for path in ("/a", "/b")
    ]
    talked_about(handed)
    flood = [
        a_ticket(
            cast, **named(ESSENCE, arguments=canonical_bytes({"path": ESSENCE, "n": at}))
        ).pending()
        for at in range(5)
    ]
    other = a_ticket(cast, **named(ESSENCE, agent_id=uuid7())).pending()
    api.pause_agent(agent_id=other.call.agent_id, user=cast.bob)
    declare_absence(
        user=cast.carol,
        starts_at=None,
        ends_at=database_now() + timedelta(days=1),
        delegate_id=cast.bob.person_id,
        group_ids=[cast.group_id],
    )
    told_about(cast)
    renamed(cast)

    def at(name: str, **keys: Any) -> str:
        return reverse(f"approvals:{name}", kwargs=keys)

    group = ReviewerGroup.objects.get(pk=cast.group_id)
    plain = (
        "inbox", "history", "frame", "canaries", "measures", "absences", "grants", "audit", "kill",
        "account", "notifications", "notices",
    )  # fmt: skip
    return {name: [at(name)] for name in plain} | {
        "notices": [at("notices"), at("notices") + "?show=waiting"],
        "ticket": [at("ticket", uid=uid) for uid in (*tests, handed.uid)],
        "row": [at("row", uid=handed.uid)],
        "edit": [at("edit", uid=open_one.uid)],
        "grant-new": [at("grant-new", uid=open_one.uid) + "?for=agent&uses=2&seconds=60"],
        "grant": [at("grant", grant_id=grant)],
        "burst": [burst_url(cast.robo, cast.files, flood[0].call.tool_name)],
        "batch": [at("batch") + f"?ticket={flood[0].uid}&ticket={flood[1].uid}"],
        "rotation": [at("rotation", slug=group.slug)],
    }


def test_on_no_page_does_the_name_of_anything_act(cast: Cast, signed_in: SignIn):
    addresses = a_hostile_house(cast)
    assert set(addresses) | POSTS_ONLY | NO_PAGES == {pattern.name for pattern in urlpatterns}
    client = signed_in(cast.bob)
    faults = formulas_and_characters_in(b"".join(client.get("/history/export.csv")).decode())
    for name, those in addresses.items():
        shown = ""
        for address in those:
            answer = client.get(address)
            assert answer.status_code == 200, address
            judge = judged(answer.content)
            faults += [f"{address}: {fault}" for fault in judge.faults[:5]]
            shown += judge.shown
        if name in ("inbox", "history", "ticket", "canaries"):
            faults += [f"{name} does not show {mark}" for mark in unseen(shown, STORED)]
    assert not faults, "\n".join(faults)


def formulas_and_characters_in(file: str) -> list[str]:
    """What in a table file would act in a spreadsheet, wherever it parts cells."""
    found = [*misleading(file.replace("\r\n", "\n"))]
    found += [f"the file does not show {mark}" for mark in unseen(file, STORED)]
    for delimiter in ",;":
        for line in csv.reader(file.splitlines(), delimiter=delimiter):
            found += [f"a formula: {cell}" for cell in line if cell.lstrip().startswith(FORMULA)]
    return found
