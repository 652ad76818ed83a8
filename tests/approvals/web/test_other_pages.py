"""The audit record, the kill switch, the account, signing in, and what every page promises."""

import re

import pytest
from django.test import Client

from approvals.audit.breaks import Break
from approvals.audit.checkpoints import seal_checkpoint
from approvals.models import (
    AuditEvent,
    DatabaseNow,
    Gate,
    Person,
    Verification,
    after_seconds,
)
from approvals.services import verifying
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.clock import later
from tests.support.pages import form_to, text_of

# -- audit ----------------------------------------------------------------------------------


def test_the_record_is_read_by_admins_and_auditors_alone(cast: Cast, signed_in: SignIn):
    Person.objects.filter(pk=cast.charlie.person_id).update(is_auditor=True)
    cast.charlie.refresh_from_db()

    assert signed_in(cast.dora).get("/audit/").status_code == 200
    assert signed_in(cast.charlie).get("/audit/").status_code == 200
    for user in (cast.alice, cast.bob):
        assert signed_in(user).get("/audit/").status_code == 403
        assert signed_in(user).post("/audit/verify/").status_code == 403


def test_the_record_shows_who_did_what_and_its_chain(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).rejected_by(cast.bob)
    other = a_ticket(cast, arguments=b'{"path":"/b"}').pending()
    client = signed_in(cast.dora)

    text = text_of(client.get("/audit/").content)
    assert "Voted to reject" in text
    assert f"ticket:{other.uid}" in text

    chain = text_of(client.get(f"/audit/?subject=ticket:{walk.uid}").content)
    assert "Waiting for approval → Rejected" in chain
    assert f"ticket:{other.uid}" not in chain
    last = AuditEvent.objects.filter(subject=f"ticket:{walk.uid}").latest("seq")
    assert bytes(last.hash).hex() in chain


def test_the_newest_checkpoint_and_a_verification_are_shown(cast: Cast, signed_in: SignIn):
    a_ticket(cast).succeeded()
    client = signed_in(cast.dora)
    assert "None has been signed yet" in text_of(client.get("/audit/").content)
    checkpoint = seal_checkpoint()
    assert checkpoint is not None

    assert bytes(checkpoint.root).hex() in text_of(client.get("/audit/").content)


def test_a_verification_waits_for_a_worker_and_then_says_what_it_found(
    cast: Cast, signed_in: SignIn
):
    a_ticket(cast).succeeded()
    client = signed_in(cast.dora)
    assert b"every 3s" not in client.get("/audit/").content
    for _ in range(2):  # the second press changes nothing
        answer = client.post("/audit/verify/", follow=True)
        assert "A verification waits for a worker" in text_of(answer.content)
    assert b"every 3s" in answer.content
    assert "Look again" in text_of(answer.content)

    assert verifying.verify_if_asked()

    page = client.get("/audit/").content
    assert "Everything adds up" in text_of(page)
    assert "Asked for by dora" in text_of(page)
    assert b"every 3s" not in page
    assert not verifying.verify_if_asked()
    assert client.get("/audit/verify/").status_code == 302
    assert Verification.objects.count() == 1


def test_breaks_are_named_on_the_page_the_first_of_many(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    client = signed_in(cast.dora)
    for many, heading in (
        (1, "One row of the record does not"),
        (23, "23 rows of the record do not"),
    ):
        breaks = [
            Break(table="ticket", key=str(n), problem="its \u202edigest") for n in range(many)
        ]
        monkeypatch.setattr(verifying, "verify", lambda found=breaks: found)
        client.post("/audit/verify/")
        verifying.verify_if_asked()
        text = text_of(client.get("/audit/").content)
        assert heading in text
        assert "ticket 0: its [U+202E]digest" in text
    assert "ticket 19:" in text
    assert "ticket 20:" not in text
    assert "and 3 more" in text


def test_a_run_whose_worker_vanished_is_shown_as_broken_off(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.dora)
    client.post("/audit/verify/")
    Verification.objects.update(begun_at=DatabaseNow(), lease_until=after_seconds(60))
    assert "is being verified" in text_of(client.get("/audit/").content)
    with later(61):
        page = client.get("/audit/").content
        assert "was broken off" in text_of(page)
        assert b"every 3s" not in page
        assert not Verification.objects.get().over, "to look changes nothing"
        client.post("/audit/verify/")
        assert verifying.verify_if_asked()
        assert "Everything adds up" in text_of(client.get("/audit/").content)


# -- kill switch ----------------------------------------------------------------------------


def test_an_admin_stops_everything_and_lets_calls_run_again(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.dora)

    client.post("/kill-switch/", {"verb": "kill"})
    assert Gate.objects.get().killed
    assert walk.ticket.state == "cancelled"
    page = client.get("/kill-switch/").content
    assert "Everything is stopped" in text_of(page)
    assert "by dora" in text_of(page)

    assert client.post("/kill-switch/", {"verb": "unkill"}).status_code == 422
    assert Gate.objects.get().killed
    client.post("/kill-switch/", {"verb": "unkill", "confirm": "yes"})
    assert not Gate.objects.get().killed
    assert walk.ticket.state == "cancelled"


def test_nobody_but_an_admin_turns_the_switch(cast: Cast, signed_in: SignIn):
    for user in (cast.alice, cast.bob, cast.charlie):
        client = signed_in(user)
        assert "Only an administrator" in text_of(client.get("/kill-switch/").content)
        assert client.post("/kill-switch/", {"verb": "kill"}).status_code == 403
    assert not Gate.objects.get().killed


def test_the_switch_shows_on_every_page(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.dora)
    pages = ("/", "/history/", "/audit/", "/account/", "/kill-switch/")

    assert all("Calls run" in text_of(client.get(page).content) for page in pages)
    client.post("/kill-switch/", {"verb": "kill"})
    assert all("All stopped" in text_of(client.get(page).content) for page in pages)


def test_an_unknown_verb_turns_nothing(cast: Cast, signed_in: SignIn):
    assert signed_in(cast.dora).post("/kill-switch/", {"verb": "x"}).status_code == 422
    assert not Gate.objects.get().killed


# -- account and the door -------------------------------------------------------------------


def test_the_account_says_what_its_person_may_do(cast: Cast, signed_in: SignIn):
    page = signed_in(cast.bob).get("/account/").content
    bob = text_of(page)
    assert "Reviewers" in bob
    assert "Operations" in bob
    for place in ("/notifications/", "/measures/", "/away/", "/accounts/2fa/"):
        assert f'href="{place}"'.encode() in page

    charlie = text_of(signed_in(cast.charlie).get("/account/").content)
    assert "no reviewer group" in charlie


def test_signing_in_leads_to_where_one_wanted_to_go(cast: Cast):
    walk = a_ticket(cast).pending()
    client = Client()
    asked = client.get(f"/tickets/{walk.uid}/")
    assert asked.status_code == 302
    form = form_to(client.get(asked.url).content, "/login/")

    answer = client.post(
        form.action, form.values(login="bob@example.test", password="bob-long-password")
    )

    assert answer.status_code == 302
    assert answer.url == f"/tickets/{walk.uid}/"


def test_a_wrong_password_says_so_and_signs_nobody_in(cast: Cast):
    client = Client()
    form = form_to(client.get("/accounts/login/").content, "/login/")

    page = client.post(form.action, form.values(login="bob@example.test", password="nope"))

    assert page.status_code == 200
    assert b'role="alert"' in page.content
    assert client.get("/").status_code == 302


def test_nobody_signs_up_on_their_own(db: None):
    page = Client().get("/accounts/signup/")

    assert "Accounts are made for you" in text_of(page.content)


def test_signing_out_ends_the_session(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    assert "Sign out?" in text_of(client.get("/accounts/logout/").content)
    assert client.get("/").status_code == 200

    client.post("/accounts/logout/")

    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "address",
    ["/accounts/password/reset/", "/accounts/password/reset/done/", "/accounts/inactive/"],
)
def test_every_page_at_the_door_has_our_frame(db: None, address: str):
    page = Client().get(address).content

    assert b'class="door"' in page


def test_a_password_is_changed_from_the_account(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    form = form_to(client.get("/accounts/password/change/").content, "/change/")

    refused = client.post(form.action, form.values(oldpassword="x", password1="a", password2="b"))
    assert b"field-error" in refused.content

    done = client.post(
        form.action,
        form.values(
            oldpassword="bob-long-password",
            password1="an-even-longer-one",
            password2="an-even-longer-one",
        ),
    )
    assert done.status_code == 302
    cast.bob.refresh_from_db()
    assert cast.bob.check_password("an-even-longer-one")


# -- every page -----------------------------------------------------------------------------


def every_page(walk_uid: object) -> list[str]:
    ticket = f"/tickets/{walk_uid}/"
    return [
        "/",
        "/history/",
        "/frame/",
        "/audit/",
        "/kill-switch/",
        "/account/",
        "/accounts/logout/",
        "/accounts/password/change/",
        ticket,
        f"{ticket}row/",
    ]


def test_whoever_is_not_signed_in_is_asked_to(cast: Cast):
    walk = a_ticket(cast).pending()

    for address in every_page(walk.uid):
        if address.startswith("/accounts/logout"):
            continue
        answer = Client().get(address)
        assert answer.status_code == 302, address
        assert answer.url.startswith("/accounts/login/"), address


def test_no_page_needs_inline_script_or_style(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.dora)

    for address in every_page(walk.uid):
        answer = client.get(address)
        page = answer.content.decode()
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), address
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), address


def test_pages_of_tickets_are_not_kept_by_the_browser(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    for address in ("/", f"/tickets/{walk.uid}/"):
        assert "no-store" in signed_in(cast.bob).get(address).headers["Cache-Control"]


def test_an_unknown_address_has_its_own_page(cast: Cast, signed_in: SignIn):
    answer = signed_in(cast.bob).get("/nothing/")

    assert answer.status_code == 404
    assert "Nothing here" in text_of(answer.content)
