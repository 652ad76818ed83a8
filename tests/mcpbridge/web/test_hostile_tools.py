"""The pack of hostile texts in everything that an upstream says of itself, on the admin's pages."""

from __future__ import annotations

from django.test import Client

from approvals import api
from approvals.models import Person, ReviewerGroup, Team
from mcpbridge.administration import UpstreamSettings, create_upstream, issue_token
from mcpbridge.catalog.recording import record_failure
from mcpbridge.models import Agent, Upstream
from tests.mcpbridge.web.conftest import a_tool, offered
from tests.support.builders import Cast
from tests.support.hostile import HOSTILE, judged, packed, unseen

STORED = [hostile for hostile in HOSTILE if hostile.fits_a_column]
NAMES = list(packed(240))


def page(client: Client, address: str, *, shows: bool = False) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, address
    judge = judged(answer.content)
    assert not judge.faults, f"{address}: " + "\n".join(judge.faults[:10])
    if shows:
        assert not unseen(judge.shown, STORED), address


def hostile_tools(change: str) -> list[dict[str, object]]:
    """A tool for each name, all of whose words are the pack's."""
    return [
        a_tool(
            "".join(filter(str.isprintable, name)),  # no other name gets past the door
            f"{name}{change}",
            title=name,
            annotations={"title": name, "readOnlyHint": True},
            inputSchema={
                "type": "object",
                "properties": {name: {"title": name, "description": f"{name}{change}"}},
            },
        )
        for name in NAMES
    ]


def test_tools_that_are_held_in_use_or_changed(admin: Client, files: Upstream, cast: Cast):
    offered(files, *hostile_tools(""))
    page(admin, "/manage/upstreams/files/", shows=True)

    more = create_upstream(
        actor="system:test",
        name="more",
        settings=UpstreamSettings(
            transport="http",
            url="https://more.example.test/mcp",
            team_ids=frozenset({cast.team_id}),
            pin_on_first_contact=True,
        ),
    )
    offered(more, *hostile_tools(""))
    page(admin, "/manage/upstreams/more/", shows=True)
    offered(more, *hostile_tools(" \u202echanged"))
    page(admin, "/manage/upstreams/more/", shows=True)


def test_errors_names_labels_and_rules(admin: Client, files: Upstream, robo: Agent, cast: Cast):
    for at, name in enumerate(NAMES):
        issue_token(actor="system:test", agent=robo, label=name[:80] if at % 2 else name[-80:])
    Person.objects.filter(pk=cast.alice.person_id).update(name=NAMES[0][:120])
    Team.objects.filter(pk=cast.team_id).update(name=NAMES[1][:120])
    ReviewerGroup.objects.filter(pk=cast.group_id).update(name=NAMES[2][:120])
    rules = [{"name": name[:100], "tool": "read_*", "effect": "allow"} for name in NAMES]
    api.publish_policy(document={"rules": rules}, note="\n".join(NAMES)[:500])

    for name in NAMES:
        record_failure(upstream_id=files.pk, error=name, retry_after=5)
        page(admin, "/manage/upstreams/")
    for place in ("upstreams/files/", "upstreams/files/settings/", "upstreams/new/", "policy/"):
        page(admin, f"/manage/{place}")
    for place in ("agents/", "agents/robo/", "agents/new/"):
        page(admin, f"/manage/{place}")


def test_what_an_admin_typed_wrongly_comes_back_as_text(admin: Client):
    text = "\n".join(hostile.text for hostile in HOSTILE[:19])  # the markup
    answer = admin.post(
        "/manage/upstreams/new/",
        {"name": text, "transport": text, "url": text, "command": text, "read_paths": text},
    )
    assert answer.status_code == 422
    faults = [fault for fault in judged(answer.content).faults if "not isolated" not in fault]
    assert not faults
