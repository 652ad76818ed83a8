"""The passkey's part of a ticket's page: what it asks, what it sends, what comes back."""

import pytest
from django.conf import settings
from django.test import Client

from approvals.models import Decision, StepUpChallenge, StepUpProof
from tests.approvals.web.conftest import SignIn
from tests.support.authenticator import Passkey
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket
from tests.support.pages import form_to, text_of

HOME = settings.APPROVALS_PASSKEY_ORIGIN.removeprefix("http://")


@pytest.fixture
def walk(cast: Cast) -> TicketWalk:
    a_policy(step_up="passkey", type_target=True)
    return a_ticket(cast).pending()


def page_of(client: Client, walk: TicketWalk) -> bytes:
    return client.get(f"/tickets/{walk.uid}/", headers={"Host": HOME}).content


def asked(client: Client, walk: TicketWalk, **changes: str):
    form = form_to(page_of(client, walk), "/decide/")
    return client.post(f"/tickets/{walk.uid}/step-up/", form.values(**changes))


def test_a_signed_approval_goes_through_the_form(cast: Cast, signed_in: SignIn, walk: TicketWalk):
    key = Passkey().given_to(cast.bob)
    client = signed_in(cast.bob)
    form = form_to(page_of(client, walk), "/decide/")
    question = asked(client, walk).json()["publicKey"]
    assertion = key.signs(question["challenge"])

    sent = form.values(verdict="approve", target="/tmp/report.txt", assertion=assertion)
    answer = client.post(form.action, sent)

    assert (question["rpId"], question["userVerification"]) == ("localhost", "required")
    assert answer.status_code == 302, text_of(answer.content)
    assert walk.ticket.state == "approved"
    assert StepUpProof.objects.count() == 1


def test_without_a_passkey_s_answer_the_form_comes_back_with_words(
    cast: Cast, signed_in: SignIn, walk: TicketWalk
):
    Passkey().given_to(cast.bob)
    client = signed_in(cast.bob)
    form = form_to(page_of(client, walk), "/decide/")

    unnamed = client.post(form.action, form.values(verdict="approve", reason="fine"))
    unsigned = client.post(form.action, form.values(verdict="approve", target="/tmp/report.txt"))

    assert (unnamed.status_code, unsigned.status_code) == (422, 422)
    assert "Type the name of what this call acts on" in text_of(unnamed.content)
    assert b'aria-describedby="target-hint target-error"' in unnamed.content
    assert b'id="target-error"' in unnamed.content
    assert "confirm it with your passkey" in text_of(unsigned.content)
    assert form_to(unsigned.content, "/decide/").fields["target"] == ["/tmp/report.txt"]
    assert not Decision.objects.exists()


def test_the_question_is_a_post_about_what_is_shown_to_who_may_approve(
    cast: Cast, signed_in: SignIn, walk: TicketWalk
):
    for user in (cast.bob, cast.alice, cast.charlie):
        Passkey().given_to(user)
    bob, address = signed_in(cast.bob), f"/tickets/{walk.uid}/step-up/"
    seen = walk.ticket.digest.hex()

    assert bob.get(address).status_code == 405
    assert bob.post(address, {"seen_digest": "zz"}).status_code == 422
    assert asked(bob, walk, seen_digest="00" * 32).status_code == 409
    assert signed_in(cast.alice).post(address, {"seen_digest": seen}).status_code == 403
    assert signed_in(cast.charlie).post(address, {"seen_digest": seen}).status_code == 404
    assert Client().post(address, {"seen_digest": seen}).status_code == 302
    assert not StepUpChallenge.objects.exists()


def test_a_foreign_page_cannot_ask(cast: Cast, walk: TicketWalk):
    Passkey().given_to(cast.bob)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.bob)

    answer = client.post(f"/tickets/{walk.uid}/step-up/", {"seen_digest": walk.ticket.digest.hex()})

    assert answer.status_code == 403
    assert not StepUpChallenge.objects.exists()


def test_the_page_says_what_is_asked_and_what_is_missing(
    cast: Cast, signed_in: SignIn, walk: TicketWalk
):
    client = signed_in(cast.bob)

    without = text_of(page_of(client, walk))
    by_address = text_of(
        client.get(
            f"/tickets/{walk.uid}/", headers={"Host": HOME.replace("localhost", "127.0.0.1")}
        ).content
    )
    Passkey().given_to(cast.bob)
    with_one = text_of(page_of(client, walk))

    assert "Add a passkey to your account" in without
    assert f"Open it there and sign in: http://{HOME}/tickets/{walk.uid}/" in by_address
    assert "signs this ticket exactly as it is shown" in with_one
    assert "Or a code" not in with_one


def test_a_code_stands_in_where_the_rule_says_so_and_is_labelled(cast: Cast, signed_in: SignIn):
    a_policy(step_up="passkey_or_totp")
    walk = a_ticket(cast).pending()

    page = text_of(page_of(signed_in(cast.bob), walk))

    assert "Or a code from your authenticator app not signed" in page
    assert "You have no authenticator app" in page


def test_a_plain_ticket_asks_for_nothing(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    assert b"step-up" not in page_of(signed_in(cast.bob), walk)
