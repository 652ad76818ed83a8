"""Deciding on several tickets at once, without any script."""

import pytest
from uuid6 import uuid7

from approvals.domain.canonical import canonical_bytes
from approvals.domain.quorum import Answer
from approvals.models import Decision
from approvals.services.handover import hand_on
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.pages import Form, forms, text_of

HARMLESS = {
    "tool_definition": {
        "name": "read_file",
        "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True},
    },
    "tool_name": "read_file",
    "annotations_trusted": True,
}


def some(cast: Cast, number: int, **changes):
    """Tickets that are all alike and low in risk."""
    given = {**HARMLESS, **changes}
    return [
        a_ticket(cast, arguments=canonical_bytes({"n": n}), max_open_tickets=99, **given).pending()
        for n in range(number)
    ]


def form_for(client, walks) -> Form:
    page = client.get("/batch/", {"ticket": [str(walk.uid) for walk in walks]}).content
    return next(form for form in forms(page) if form.action == "/batch/")


def test_ticked_rows_lead_to_a_page_that_shows_each_of_them_whole(cast: Cast, signed_in: SignIn):
    walks = some(cast, 2)
    client = signed_in(cast.bob)
    inbox = client.get("/").content.decode()
    assert inbox.count('form="batch"') == 2
    assert '<form class="batch-bar" id="batch" method="get" action="/batch/">' in inbox

    page = text_of(client.get("/batch/", {"ticket": [str(w.uid) for w in walks]}).content)

    assert "Reject 2 calls" in page
    assert "Approve and run 2 calls" in page
    assert 'href="/" aria-current="page"' in inbox
    assert not Decision.objects.exists()


def test_rows_can_be_ticked_only_where_something_is_done_with_the_ticked_ones(
    cast: Cast, signed_in: SignIn
):
    (walk,) = some(cast, 1)
    hand_on(uid=walk.uid, user=cast.carol, to_person=cast.bob.person_id, words="", nonce="1")
    bob, carol = signed_in(cast.bob), signed_in(cast.carol)

    def ticks(client, address: str) -> tuple[bool, bool]:
        page = client.get(address).content.decode()
        return 'form="batch"' in page, 'id="batch"' in page

    assert ticks(bob, "/") == (True, True)  # handed to bob, while nothing else needs him
    assert ticks(bob, "/history/") == (False, False)
    assert f"/tickets/{walk.uid}/row/?tick=no" in bob.get("/history/").content.decode()
    assert ticks(bob, f"/tickets/{walk.uid}/row/") == (True, False)
    assert ticks(bob, f"/tickets/{walk.uid}/row/?tick=no") == (False, False)
    walk.voted(cast.bob, Answer.APPROVE)
    assert ticks(carol, "/") == (False, False)


def test_approving_many_is_one_decision_each(cast: Cast, signed_in: SignIn):
    walks = some(cast, 3)
    client = signed_in(cast.bob)
    form = form_for(client, walks)

    done = client.post(form.action, form.values(verdict="approve"))

    assert text_of(done.content).count("Approved") == 3
    assert {walk.ticket.state for walk in walks} == {"approved"}
    assert Decision.objects.count() == 3
    client.post(form.action, form.values(verdict="approve"))  # a double click
    assert Decision.objects.count() == 3


def test_rejecting_many_is_free(cast: Cast, signed_in: SignIn):
    walks = [*some(cast, 2), a_ticket(cast).pending()]
    client = signed_in(cast.bob)
    form = form_for(client, walks)

    done = client.post(form.action, form.values(verdict="reject", reason="not today"))

    assert text_of(done.content).count("Rejected") == 3
    assert {walk.ticket.state for walk in walks} == {"rejected"}
    assert walks[0].view.reason == "not today"


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"tool_name": "other_tool"}, "different tools"),
        ({"tool_digest": b"x" * 32}, "different tools"),
        ({"annotations_trusted": False}, "not low in risk"),
        ({"arguments": canonical_bytes({"path": "a\u202eb"})}, "not low in risk"),
        ({"arguments": canonical_bytes({"text": "line\n" * 2000})}, "has to be looked at first"),
    ],
)
def test_what_deserves_a_look_of_its_own_is_not_approved_with_others(
    cast: Cast, signed_in: SignIn, others, words: str
):
    odd = a_ticket(cast, **{"arguments": b'{"n":9}', **HARMLESS, **others}).pending()
    walks = [*some(cast, 1), odd]
    client = signed_in(cast.bob)
    form = form_for(client, walks)
    assert {button.get("value") for button in form.buttons} == {"reject"}

    answer = client.post(form.action, form.values(verdict="approve"))

    assert answer.status_code == 422
    assert words in text_of(answer.content)
    assert not Decision.objects.exists()


def test_tickets_that_different_rules_asked_for_are_not_approved_together(
    cast: Cast, signed_in: SignIn
):
    walks = some(cast, 1)
    a_policy()
    walks.append(a_ticket(cast, arguments=b'{"n":9}', **HARMLESS).pending())
    form = form_for(signed_in(cast.bob), walks)
    answer = signed_in(cast.bob).post(form.action, form.values(verdict="approve"))
    assert "Different rules" in text_of(answer.content)


def test_a_ticket_that_asks_for_more_than_a_click_is_approved_by_itself(
    cast: Cast, signed_in: SignIn
):
    a_policy(type_target=True)
    walks = some(cast, 2)
    form = form_for(signed_in(cast.bob), walks)
    answer = signed_in(cast.bob).post(form.action, form.values(verdict="approve"))
    assert "asks more of whoever approves it" in text_of(answer.content)
    assert not Decision.objects.exists()


def test_no_more_than_ten_are_approved_and_fifty_rejected_together(cast: Cast, signed_in: SignIn):
    walks = some(cast, 11)
    client = signed_in(cast.bob)
    form = form_for(client, walks)
    assert client.post(form.action, form.values(verdict="approve")).status_code == 422
    too_many = {"ticket": [str(uuid7()) for _ in range(51)], "nonce": "n", "verdict": "reject"}
    assert client.post("/batch/", too_many).status_code == 422
    assert not Decision.objects.exists()


def test_each_ticket_is_answered_by_itself(cast: Cast, signed_in: SignIn):
    walks = some(cast, 3)
    client = signed_in(cast.bob)
    form = form_for(client, walks)
    walks[1].rejected_by(cast.carol)
    values = form.values(verdict="reject")
    values[f"digest-{walks[2].uid}"] = "00" * 32

    page = text_of(client.post(form.action, values).content)

    assert "already been decided" in page
    assert "changed after you saw it" in page
    assert walks[0].ticket.state == "rejected"
    assert walks[2].ticket.state == "pending"


def test_strangers_and_owners_decide_nothing_in_a_batch(cast: Cast, signed_in: SignIn):
    walks = some(cast, 2)
    form = form_for(signed_in(cast.bob), walks)
    for user in (cast.charlie, cast.alice):
        for verdict in ("approve", "reject"):
            signed_in(user).post(form.action, form.values(verdict=verdict))
    assert {walk.ticket.state for walk in walks} == {"pending"}


@pytest.mark.parametrize(
    "change",
    [{"verdict": ""}, {"verdict": "withdraw"}, {"nonce": ""}],
    ids=["no verdict", "another verdict", "no nonce"],
)
def test_a_broken_form_decides_nothing(cast: Cast, signed_in: SignIn, change):
    walks = some(cast, 1)
    client = signed_in(cast.bob)
    form = form_for(client, walks)
    answer = client.post(form.action, form.values(**{"verdict": "reject", **change}))
    assert answer.status_code == 422
    assert walks[0].ticket.state == "pending"


def test_a_get_decides_nothing(cast: Cast, signed_in: SignIn):
    walks = some(cast, 1)
    client = signed_in(cast.bob)
    form = form_for(client, walks)
    client.get(form.action, form.values(verdict="reject"))
    client.head(form.action, form.values(verdict="reject"))
    assert walks[0].ticket.state == "pending"
