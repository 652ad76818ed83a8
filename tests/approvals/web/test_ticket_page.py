"""What a reviewer reads of a ticket, and what a hostile agent cannot do to it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import api
from approvals.audit.sealing import purge
from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.inspection.arguments import read_canonical
from approvals.models import Payload
from approvals.presenters import sealed
from approvals.selectors.history import BOUND
from approvals.services import people
from tests.approvals.web.conftest import SignIn
from tests.support import rings
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.clock import later
from tests.support.pages import form_to, forms, text_of

HOSTILE = '<img src=x onerror=alert(1)>"><script>alert(1)</script>{{ view }}\u202egnp.exe\u200b'


def test_what_will_run_comes_first_from_the_exact_bytes(cast: Cast, signed_in: SignIn):
    arguments = canonical_bytes({"path": "/tmp/report.txt", "force": True})
    walk = a_ticket(cast, arguments=arguments).pending()

    page = signed_in(cast.bob).get(f"/tickets/{walk.uid}/")
    text = text_of(page.content)

    order = [
        text.index(words)
        for words in (
            "This will run, if approved",
            f"exact {len(arguments)} bytes",
            "Raw JSON and digests",
            "Why it was paused",
            "Who asks",
            "Agent says",
            "Your decision",
        )
    ]
    assert order == sorted(order)
    assert bytes(walk.ticket.digest).hex() in text
    assert "Approve and run delete_file on /tmp/report.txt" in text


def test_everything_an_agent_or_upstream_wrote_is_shown_as_text(cast: Cast, signed_in: SignIn):
    walk = a_ticket(
        cast,
        agent_name=HOSTILE[:100],
        upstream_name="files",
        tool_name=HOSTILE,
        agent_says=HOSTILE,
        session_label=HOSTILE,
        arguments=canonical_bytes({HOSTILE: HOSTILE, "list": [HOSTILE]}),
        tool_definition={"name": HOSTILE, "inputSchema": {"properties": {HOSTILE: {}}}},
    ).succeeded(canonical_bytes({"content": [{"type": "text", "text": HOSTILE}]}))
    client = signed_in(cast.dora)

    for address in ("/", "/history/", f"/tickets/{walk.uid}/", "/audit/"):
        page = client.get(address).content.decode()
        assert "<img" not in page, address
        assert "<script>alert" not in page, address
        assert "\u202e" not in page, address
        assert "\u200b" not in page, address
    ticket = client.get(f"/tickets/{walk.uid}/").content.decode()
    assert "[U+202E]" in ticket
    assert "{{ view }}" in ticket


def test_a_misleading_character_is_said_in_words(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=canonical_bytes({"path": "a\u202etxt.sh"})).pending()

    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)

    assert "right-to-left override" in text
    assert "High risk" in text


def test_why_it_was_paused_names_the_rule_and_its_clauses(cast: Cast, signed_in: SignIn):
    api.publish_policy(
        document={
            "rules": [
                {"name": "reads", "tool": "read_*", "effect": "allow"},
                {
                    "name": "deletions",
                    "tool": "delete_*",
                    "effect": "require_approval",
                    "obligations": {"groups": ["reviewers"], "reason_required": True},
                },
            ]
        }
    )
    walk = a_ticket(cast).pending()

    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)

    assert "rule 2: deletions" in text
    assert "tool matches delete_*" in text
    assert "1 approval from Reviewers, with a reason" in text
    assert "“reads”" in text


def test_the_difference_to_the_last_approved_call_is_shown(cast: Cast, signed_in: SignIn):
    a_ticket(cast, arguments=canonical_bytes({"path": "/a", "force": False})).succeeded()
    walk = a_ticket(cast, arguments=canonical_bytes({"path": "/a", "force": True})).pending()

    page = signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content.decode()

    changed = page[page.index("Changed since the last approved call") :]
    assert re.search(r"<del><bdi>false</bdi></del>", changed)
    assert re.search(r"<ins><bdi>true</bdi></ins>", changed)
    assert "1 other value unchanged" in changed


def test_a_possible_repeat_is_pointed_out(cast: Cast, signed_in: SignIn):
    first = a_ticket(cast).rejected_by(cast.bob, reason="no")
    api.mark_delivered(first.uid)
    walk = a_ticket(cast).pending()

    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)

    assert f"Possible repeat of ticket {first.ticket.pk}" in text


def test_several_requests_for_one_execution_are_counted(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    a_ticket(cast).pending()

    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)

    assert "One execution for 2 requests" in text


def test_the_timeline_tells_the_whole_story(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).succeeded()

    text = text_of(signed_in(cast.carol).get(f"/tickets/{walk.uid}/").content)
    story = text[text.index("Timeline") :]

    steps = ("Called and paused", "Voted to approve bob", "Taken up by a worker", "answered")
    places = [story.index(step) for step in steps]
    assert places == sorted(places)


def test_each_ending_says_whether_anything_was_sent(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    endings = {
        "Approved and run": a_ticket(cast, arguments=b'{"path":"/1"}').succeeded(),
        "with an error": a_ticket(cast, arguments=b'{"path":"/2"}').failed(),
        "Nothing was sent": a_ticket(cast, arguments=b'{"path":"/3"}').rejected_by(cast.bob),
        "never be sent again": a_ticket(cast, arguments=b'{"path":"/4"}').unknown(),
        "Running": a_ticket(cast, arguments=b'{"path":"/5"}').sent(),
        "Approved, starting": a_ticket(cast, arguments=b'{"path":"/6"}').claimed(),
        "not started yet": a_ticket(cast, arguments=b'{"path":"/7"}').approved_by(cast.bob),
    }
    for words, walk in endings.items():
        page = client.get(f"/tickets/{walk.uid}/").content
        assert words in text_of(page), words
        assert not [form for form in forms(page) if form.action.endswith("/decide/")]


def test_purged_arguments_leave_their_digest_and_no_approval(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).succeeded()
    purge(walk.ticket.arguments_id, actor="system:retention")
    purge(walk.ticket.result_id, actor="system:retention")
    client = signed_in(cast.bob)

    text = text_of(client.get(f"/tickets/{walk.uid}/").content)

    assert "removed when their retention ended" in text
    assert bytes(walk.ticket.digest).hex() in text
    assert client.get("/").status_code == client.get("/history/").status_code == 200


def test_arguments_with_a_broken_seal_cannot_be_approved(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    walk = a_ticket(cast).pending()
    key = Payload.objects.get(pk=walk.ticket.arguments_id)
    original = sealed.unseal

    def broken(payload: Payload) -> bytes:
        if payload.pk == key.pk:
            raise sealed.SealBroken("changed")
        return original(payload)

    monkeypatch.setattr(sealed, "unseal", broken)
    client = signed_in(cast.bob)
    page = client.get(f"/tickets/{walk.uid}/").content
    form = form_to(page, "/decide/")
    answer = client.post(form.action, form.values(verdict="approve"))

    assert "do not match their seal" in text_of(page)
    assert [button["value"] for button in form.buttons] == ["reject"]
    assert answer.status_code == 422
    assert walk.ticket.state == "pending"


def test_only_the_time_for_deciding_is_spoken(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    assert "data-ticks-spoken" in client.get(f"/tickets/{walk.uid}/").content.decode()

    walk.approved_by(cast.bob)
    page = client.get(f"/tickets/{walk.uid}/").content.decode()
    assert ("Must start by" in page, "data-ticks-spoken" in page) == (True, False)


def test_two_approvals_are_two_seats(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)

    text = text_of(signed_in(cast.carol).get(f"/tickets/{walk.uid}/").content)

    assert "1 of 2 approvals" in text
    assert "1 more approval wanted from you" in text


def test_a_ticket_takes_the_same_number_of_queries_whatever_happened_to_it(
    cast: Cast, signed_in: SignIn, django_assert_max_num_queries
):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob, cast.carol).succeeded()
    client = signed_in(cast.bob)
    client.get("/")

    with django_assert_max_num_queries(21):  # one of them finds what needs bob next
        client.get(f"/tickets/{walk.uid}/")


def test_a_ticket_that_can_be_decided_takes_few_queries(
    cast: Cast, signed_in: SignIn, django_assert_max_num_queries
):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    client = signed_in(cast.carol)
    client.get("/")

    with django_assert_max_num_queries(22):
        client.get(f"/tickets/{walk.uid}/")


def test_arguments_stand_in_the_order_in_which_the_tool_describes_them(
    cast: Cast, signed_in: SignIn
):
    properties = {"to": {}, "from": {"properties": {"z": {}, "b": {}}}, "about": {}}
    definition = {"name": "send", "inputSchema": {"type": "object", "properties": properties}}
    value: dict[str, JSON] = {"about": 1, "extra": 2, "from": {"b": 3, "z": 4}, "to": 5}
    arguments = canonical_bytes(value)
    walk = a_ticket(cast, arguments=arguments, tool_definition=definition).pending()

    page = signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content.decode()

    table = page.partition('<table class="args">')[2].partition("</table>")[0]
    paths = re.findall(r'<th scope="row"><bdi>([^<]*)</bdi>', table)
    assert paths == ["/to", "/from/z", "/from/b", "/about", "/extra"]


def test_what_will_run_is_read_once(cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch):
    a_ticket(cast, arguments=b'{"path":"/before"}').succeeded()
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    read: list[bytes] = []

    def counted(canonical: bytes) -> object:
        read.append(canonical)
        return read_canonical(canonical)

    for place in ("domain.inspection.arguments", "presenters.difference"):
        monkeypatch.setattr(f"approvals.{place}.read_canonical", counted)
    client.get(f"/tickets/{walk.uid}/")

    assert read.count(walk.call.arguments) == 1


def test_earlier_decisions_on_the_same_tool_are_linked(cast: Cast, signed_in: SignIn):
    before = a_ticket(cast, arguments=b'{"path":"/before"}').rejected_by(cast.bob)
    a_ticket(cast, arguments=b'{"path":"/x"}', tool_name="move_file").rejected_by(cast.bob)
    walk = a_ticket(cast).pending()

    page = signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content.decode()
    earlier = page.partition('<ul class="earlier">')[2].partition("</ul>")[0]

    assert earlier.count("<li>") == 1
    assert f"/tickets/{before.uid}/" in earlier
    assert "Rejected" in earlier


def test_why_it_was_paused_names_every_group_by_its_name(cast: Cast, signed_in: SignIn):
    people.ensure_group(slug="grp-1", name="Legal")
    people.set_members(group="grp-1", people=[cast.bob.person_id])
    people.ensure_group(slug="grp-2", name="Operations")
    people.set_members(group="grp-2", people=[cast.carol.person_id, cast.dora.person_id])
    people.ensure_group(slug="grp-3", name="On duty")
    people.set_members(group="grp-3", people=[cast.charlie.person_id])
    a_policy(
        quorums=[{"group": "grp-1", "need": 1}, {"group": "grp-2", "need": 2}],
        escalate={"to": "grp-3", "after_seconds": 900},
    )
    walk = a_ticket(cast).pending()

    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)

    assert "1 approval from Legal and 2 approvals from Operations" in text
    assert "On duty is asked as well after 15 min" in text
    assert "grp-" not in text


def test_the_timeline_announces_the_second_group_until_it_is_asked(cast: Cast, signed_in: SignIn):
    people.ensure_group(slug="duty", name="On duty")
    people.set_members(group="duty", people=[cast.charlie.person_id])
    a_policy(escalate={"to": "duty", "after_seconds": 60}, approval_seconds=300)
    walk = a_ticket(cast).pending()
    announced = "If nobody has decided by then, another group is asked as well"

    def timeline() -> str:
        text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)
        return text[text.index("Timeline") :]

    before = timeline()
    assert f"{announced} On duty" in before
    assert before.index("Waiting for people") < before.index(announced)
    assert before.index(announced) < before.index("Expires, nothing runs")

    with later(61):
        api.sweep()
    after = timeline()
    assert announced not in after
    assert "Nobody had decided in time; another group is asked as well" in after


def test_a_decided_ticket_announces_no_second_group(cast: Cast, signed_in: SignIn):
    people.ensure_group(slug="duty", name="On duty")
    people.set_members(group="duty", people=[cast.charlie.person_id])
    a_policy(escalate={"to": "duty", "after_seconds": 60}, approval_seconds=300)
    walk = a_ticket(cast).rejected_by(cast.bob)
    text = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)
    assert "another group is asked as well" not in text


def test_a_ticket_whose_time_is_over_offers_nothing_before_anybody_wrote_it_down(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    ahead = walk.ticket.approval_expires_at + timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: ahead)

    page = client.get(f"/tickets/{walk.uid}/").content

    assert walk.ticket.state == "pending"
    assert "Time is up The time to decide on this ticket is over." in text_of(page)
    assert not [form for form in forms(page) if form.action.endswith("/decide/")]


def test_the_agents_last_hour_names_what_policy_decided_alone(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    address, client = f"/tickets/{walk.uid}/", signed_in(cast.bob)
    rings.unasked[cast.robo] = (7, 2)
    hour = "1 paused call of any tool: 0 approved, 0 rejected; without asking"
    assert f"{hour} 7 allowed, 2 denied by policy" in text_of(client.get(address).content)
    rings.unasked[cast.robo] = (BOUND, 0)
    words = f"{hour}, of the newest 1,000, 1,000 allowed, 0 denied by policy"
    assert words in text_of(client.get(address).content)
