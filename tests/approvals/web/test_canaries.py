"""Seeding tests, and that nothing gives one away before it is decided."""

import re
from uuid import UUID

from approvals import api
from approvals.audit.verification import verify
from approvals.models import Canary, Person, Ticket
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to, forms, text_of

CALL = b'{"url":"https://files.example.test/a"}'


def seed(cast: Cast, signed_in: SignIn, **changes: str):
    past = a_ticket(cast, arguments=CALL).succeeded()
    api.mark_delivered(past.uid)
    client = signed_in(cast.dora)
    form = next(f for f in forms(client.get("/tests/").content) if "trap" in f.fields)
    given = {"like": str(past.ticket.pk), "explanation": "Look at line seventeen.", **changes}
    return client.post("/tests/", form.values(**given), follow=True)


def test_an_administrator_seeds_a_test_that_looks_like_any_ticket(cast: Cast, signed_in: SignIn):
    assert "It is seeded" in text_of(seed(cast, signed_in).content)
    ticket = Canary.objects.get().ticket
    client = signed_in(cast.bob)
    pages = [client.get(address).content for address in ("/", f"/tickets/{ticket.uid}/")]
    for page in pages:
        words = text_of(page).lower()
        assert "robo" in words
        assert "test." not in words.replace("example.test", "")
        assert "canary" not in page.decode().lower()
        assert "dora" not in words
        assert "seventeen" not in words


def test_right_after_the_decision_it_says_what_it_was(cast: Cast, signed_in: SignIn):
    seed(cast, signed_in)
    ticket = Canary.objects.get().ticket
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{ticket.uid}/").content, "/decide/")

    page = client.post(form.action, form.values(verdict="approve"), follow=True).content

    words = text_of(page)
    assert "This was a test." in words
    assert "Right would have been to reject it. You decided otherwise." in words
    assert "Look at line seventeen." in words
    assert Ticket.objects.get(pk=ticket.pk).cancel_reason == "canary"
    listed = text_of(signed_in(cast.dora).get("/tests/").content)
    assert "Not noticed" in listed
    assert "bob" in listed


def test_one_that_is_edited_and_approved_is_revealed_and_not_said_to_count(
    cast: Cast, signed_in: SignIn
):
    seed(cast, signed_in)
    ticket = Canary.objects.get().ticket
    values = {"step": "confirm", "verdict": "approve", "raw": CALL.decode(), "nonce": "n"}
    values["seen_digest"] = bytes(ticket.digest).hex()

    page = signed_in(cast.bob).post(f"/tickets/{ticket.uid}/edit/", values, follow=True).content

    assert f"Ticket {ticket.pk} was a test." in text_of(page)
    assert "your vote counts" not in text_of(page)


def test_a_reviewer_who_rejects_it_is_told_that_this_was_right(cast: Cast, signed_in: SignIn):
    seed(cast, signed_in)
    ticket = Canary.objects.get().ticket
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{ticket.uid}/").content, "/decide/")
    page = client.post(form.action, form.values(verdict="reject"), follow=True).content
    assert "You decided just so." in text_of(page)
    assert "Noticed" in text_of(signed_in(cast.dora).get("/tests/").content)


def test_nobody_but_administrators_sees_or_seeds_tests(cast: Cast, signed_in: SignIn):
    past = a_ticket(cast, arguments=CALL).succeeded()
    for user in (cast.bob, cast.charlie):
        client = signed_in(user)
        assert client.get("/tests/").status_code == 403
        values = {"like": past.ticket.pk, "trap": "past", "right": "reject"}
        assert client.post("/tests/", values).status_code == 403
    assert not Canary.objects.exists()


def test_a_form_that_cannot_be_seeded_says_why_and_keeps_what_was_typed(
    cast: Cast, signed_in: SignIn
):
    for changes in ({"like": "999999"}, {"like": "x"}, {"trap": "none"}):
        answer = seed(cast, signed_in, **changes)
        assert answer.status_code == 422
        assert "Look at line" in text_of(answer.content)
    assert not Canary.objects.exists()


def test_another_admin_who_reviews_cannot_find_a_test_before_it_is_over(
    cast: Cast, signed_in: SignIn
):
    Person.objects.filter(pk=cast.bob.person_id).update(is_admin=True)
    call = a_ticket(cast, arguments=b'{"n":1}').pending().ticket
    seed(cast, signed_in)
    ticket = Canary.objects.get().ticket
    bob = signed_in(cast.bob)

    def shown(uid: UUID, kind: str = "ticket") -> str:
        """A chain as bob reads it, without what every chain has of its own."""
        page = text_of(bob.get(f"/audit/?subject={kind}:{uid}").content)
        links = page.partition("Links of the audit record")[2]
        return re.sub(r"[0-9a-f]{64}|[0-9a-f-]{36}|\d\d:\d\d", "-", links)

    assert shown(ticket.uid) == shown(call.uid)
    assert "dora" not in shown(ticket.uid)
    assert "shown once it is over" in shown(ticket.uid)
    assert shown(ticket.uid, "canary") == ""
    record = bob.get("/audit/").content.decode()
    assert "canary" not in record
    assert str(ticket.uid) in record
    assert f"Ticket {ticket.pk}" not in text_of(bob.get("/tests/").content)
    seeder = signed_in(cast.dora)
    assert f"canary:{ticket.uid}" in text_of(seeder.get("/audit/").content)
    assert f"Ticket {ticket.pk}" in text_of(seeder.get("/tests/").content)

    form = form_to(bob.get(f"/tickets/{ticket.uid}/").content, "/decide/")
    bob.post(form.action, form.values(verdict="reject"))
    assert "dora" in shown(ticket.uid)
    assert "A test was seeded" in shown(ticket.uid, "canary")
    assert f"Ticket {ticket.pk}" in text_of(bob.get("/tests/").content)
    assert verify() == []
