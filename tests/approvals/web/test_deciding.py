"""Voting through the form, as a browser without JavaScript sends it."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from approvals.domain.canonical import canonical_bytes
from approvals.models import Decision, User
from approvals.services import people
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket, killed
from tests.support.pages import form_to, forms, text_of
from tests.support.record import a_hand_at_the_console


def post(client: Client, walk: TicketWalk, verdict: str, **changes: str):
    """Open the ticket's page and press one of its two verbs."""
    page = client.get(f"/tickets/{walk.uid}/").content
    form = form_to(page, "/decide/")
    return client.post(form.action, form.values(verdict=verdict, **changes))


def test_approving_moves_the_ticket_and_leads_back_to_its_page(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)

    answer = post(client, walk, "approve")

    assert answer.status_code == 302
    assert answer.url == f"/tickets/{walk.uid}/"
    assert walk.ticket.state == "approved"
    assert "You approved ticket" in text_of(client.get(answer.url).content)


def test_rejecting_carries_the_reason(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    post(signed_in(cast.bob), walk, "reject", reason="wrong folder")

    assert walk.ticket.state == "rejected"
    assert walk.view.reason == "wrong folder"


def test_reject_stands_before_approve_and_nothing_is_preselected(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    form = form_to(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content, "/decide/")

    assert [button["value"] for button in form.buttons] == ["reject", "approve"]
    assert "verdict" not in form.fields


def test_a_form_without_a_verdict_decides_nothing(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    for verdict in ("", "withdraw", "yes"):
        answer = post(signed_in(cast.bob), walk, verdict)
        assert answer.status_code == 422
    assert walk.ticket.state == "pending"
    assert not Decision.objects.exists()


def test_a_first_approval_of_two_says_that_more_are_needed(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)

    answer = post(client, walk, "approve")
    page = text_of(client.get(answer.url).content)

    assert walk.ticket.state == "pending"
    assert "1 of 2 approvals" in page
    assert "You have voted" in page


def test_the_same_form_sent_twice_counts_once(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")

    first = client.post(form.action, form.values(verdict="approve"))
    second = client.post(form.action, form.values(verdict="approve"))

    assert (first.status_code, second.status_code) == (302, 302)
    assert Decision.objects.count() == 1
    said = [str(message) for message in get_messages(second.wsgi_request)]
    assert said[-1] == "This was sent before. Below is how it stands now."


def test_a_digest_that_is_not_the_tickets_is_a_conflict_shown_first(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    answer = post(signed_in(cast.bob), walk, "approve", seen_digest="00" * 32, reason="looks fine")

    assert answer.status_code == 409
    assert "The ticket changed after you saw it" in text_of(answer.content)
    assert b"data-focus-me" in answer.content
    assert form_to(answer.content, "/decide/").fields["reason"] == ["looks fine"]
    assert walk.ticket.state == "pending"


def test_a_digest_that_cannot_be_read_is_refused(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    for digest in ("", "zz", "é" * 64):
        answer = post(signed_in(cast.bob), walk, "approve", seen_digest=digest)
        assert answer.status_code in {409, 422}
    assert walk.ticket.state == "pending"


def test_a_missing_or_endless_nonce_is_refused(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    for nonce in ("", "n" * 65):
        assert post(signed_in(cast.bob), walk, "approve", nonce=nonce).status_code == 422
    assert walk.ticket.state == "pending"


def test_deciding_after_somebody_else_is_a_conflict_that_says_how_it_stands(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    walk.rejected_by(cast.carol, reason="not today")

    answer = client.post(form.action, form.values(verdict="approve"))

    assert answer.status_code == 409
    assert "This ticket has already been decided" in text_of(answer.content)
    assert "not today" in text_of(answer.content)


def test_a_required_reason_that_is_missing_is_pointed_out(cast: Cast, signed_in: SignIn):
    a_policy(reason_required=True)
    walk = a_ticket(cast).pending()

    answer = post(signed_in(cast.bob), walk, "approve", reason="  ")

    assert answer.status_code == 422
    assert "This decision needs a reason" in text_of(answer.content)
    assert b'aria-invalid="true"' in answer.content
    assert walk.ticket.state == "pending"


def test_an_endless_reason_is_refused(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    assert post(signed_in(cast.bob), walk, "reject", reason="x" * 2001).status_code == 422
    assert walk.ticket.state == "pending"


def test_people_without_a_vote_see_no_form_and_are_refused(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    nonce_and_digest = {"nonce": "n1", "seen_digest": bytes(walk.ticket.digest).hex()}

    for user in (cast.alice, cast.dora):
        client = signed_in(user)
        page = client.get(f"/tickets/{walk.uid}/").content
        assert not [form for form in forms(page) if form.action.endswith("/decide/")]
        answer = client.post(
            f"/tickets/{walk.uid}/decide/", {"verdict": "approve", **nonce_and_digest}
        )
        assert answer.status_code == 403
    assert walk.ticket.state == "pending"


def test_the_owner_in_the_group_may_reject_but_not_approve(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()
    client = signed_in(cast.bob)

    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    assert [button["value"] for button in form.buttons] == ["reject"]

    assert post(client, walk, "approve").status_code == 403
    assert walk.ticket.state == "pending"
    assert post(client, walk, "reject").status_code == 302
    assert walk.ticket.state == "rejected"


def test_a_second_account_of_the_agent_s_owner_does_not_approve(cast: Cast, signed_in: SignIn):
    people.create_user(email="bob2@example.test", password=None, person_id=cast.bob.person_id)
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()

    answer = post(signed_in(User.objects.get(email="bob2@example.test")), walk, "approve")

    assert answer.status_code == 403
    assert (walk.ticket.state, Decision.objects.count()) == ("pending", 0)


def test_a_page_that_was_open_when_its_reader_was_demoted_decides_nothing(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    people.set_members(group="reviewers", people=[cast.carol.person_id])

    for verdict in ("approve", "reject"):
        answer = client.post(form.action, form.values(verdict=verdict))
        assert answer.status_code in {403, 404}
    assert (walk.ticket.state, Decision.objects.count()) == ("pending", 0)


def test_a_stranger_cannot_tell_a_hidden_ticket_from_none(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.charlie)
    absent = "00000000-0000-7000-8000-000000000000"

    for address in ("", "row/", "decide/", "withdraw/", "revoke/", "cancel/", "annotate/"):
        hidden = client.get(f"/tickets/{walk.uid}/{address}")
        missing = client.get(f"/tickets/{absent}/{address}")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content
    for address in ("decide/", "withdraw/", "revoke/", "cancel/", "annotate/"):
        assert client.post(f"/tickets/{walk.uid}/{address}").status_code == 404
    assert walk.ticket.version == 1


def test_nothing_can_be_approved_while_everything_is_stopped(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    walk = a_ticket(cast).pending()
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    killed(cast)

    answer = client.post(form.action, form.values(verdict="approve"))

    assert answer.status_code == 409
    assert walk.ticket.state == "cancelled"
    assert "All stopped" in text_of(answer.content)


def test_a_page_that_exchanges_itself_gets_the_part_with_the_next_step(
    cast: Cast, signed_in: SignIn
):
    walk, after = a_ticket(cast).pending(), a_ticket(cast, arguments=b'{"path":"/b"}').pending()
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")

    answer = client.post(
        form.action,
        form.values(verdict="approve"),
        headers={"HX-Request": "true", "HX-Target": "ticket"},
    )

    assert answer.status_code == 200
    assert answer.content.lstrip().startswith(b'<div id="ticket"')
    assert f"/tickets/{after.uid}/" in answer.content.decode()
    assert walk.ticket.state == "approved"


def test_whoever_votes_while_others_still_decide_goes_on_to_the_next_ticket(
    cast: Cast, signed_in: SignIn
):
    a_policy(quorum=2)
    walk, after = a_ticket(cast).pending(), a_ticket(cast, arguments=b'{"path":"/b"}').pending()
    client = signed_in(cast.bob)
    here = f"/tickets/{walk.uid}/"
    before = client.get(here).content.decode()
    assert 'id="next-one"' not in before
    form = form_to(before.encode(), "/decide/")

    answer = client.post(
        form.action,
        form.values(verdict="approve"),
        headers={"HX-Request": "true", "HX-Target": "ticket"},
    ).content.decode()

    panel = answer.partition('id="decide"')[2].partition("</section>")[0]
    assert panel.partition(">")[0].endswith("data-focus-me")
    assert "You have voted" in panel
    assert f'id="next-one" href="/tickets/{after.uid}/"' in panel
    later = client.get(here).content.decode()
    assert f'id="next-one" href="/tickets/{after.uid}/"' in later
    assert "data-focus-me" not in later
    assert "/hand-on/" in before
    assert "/hand-on/" not in later, "there is no vote left to hand on"
    assert "/snooze/" not in later


# -- what is shown cut must have been opened ------------------------------------------------

LONG = canonical_bytes({"path": "/tmp/a", "text": "line\n" * 2000})


def test_a_cut_value_blocks_approval_until_it_was_opened(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=LONG).pending()
    client = signed_in(cast.bob)
    page = client.get(f"/tickets/{walk.uid}/").content
    assert b'aria-disabled="true"' in page

    refused = post(client, walk, "approve")
    assert refused.status_code == 422
    assert "Open each of them" in text_of(refused.content)
    assert walk.ticket.state == "pending"

    opening = next(form for form in forms(page) if form.method == "get" and form.buttons)
    index = next(button["value"] for button in opening.buttons if button.get("name") == "open")
    opened = client.get(f"/tickets/{walk.uid}/?open={index}").content
    assert b'aria-disabled="true"' not in opened
    form = form_to(opened, "/decide/")
    assert client.post(form.action, form.values(verdict="approve")).status_code == 302
    assert walk.ticket.state == "approved"


def test_a_cut_value_does_not_keep_anybody_from_rejecting(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=LONG).pending()

    assert post(signed_in(cast.bob), walk, "reject").status_code == 302
    assert walk.ticket.state == "rejected"


def opened_statement(client: Client, walk: TicketWalk) -> str:
    page = client.get(f"/tickets/{walk.uid}/?open=0&open=1").content
    return form_to(page, "/decide/").fields["opened"][0]


def test_a_statement_of_what_was_opened_counts_for_its_ticket_and_reader_only(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast, arguments=LONG).pending()
    other = a_ticket(cast, arguments=LONG, idempotency_key="another").pending()
    bob, carol = signed_in(cast.bob), signed_in(cast.carol)

    for statement in (
        opened_statement(carol, walk),
        opened_statement(bob, other),
        opened_statement(bob, walk)[:-1],
        "made-up",
        "",
    ):
        assert post(bob, walk, "approve", opened=statement).status_code == 422
    assert walk.ticket.state == "pending"
    assert post(bob, walk, "approve", opened=opened_statement(bob, walk)).status_code == 302


def test_opening_ignores_what_is_no_row(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=LONG).pending()

    page = signed_in(cast.bob).get(
        f"/tickets/{walk.uid}/?open=99&open=-1&open=x&open=\u0661&open=" + "9" * 5000
    )

    assert page.status_code == 200
    assert b'aria-disabled="true"' in page.content


# -- where a post may come from -------------------------------------------------------------


def protected(user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_post_from_another_origin_is_refused(cast: Cast):
    walk = a_ticket(cast).pending()
    client = protected(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    values = {
        **form.values(verdict="approve"),
        "csrfmiddlewaretoken": form.fields["csrfmiddlewaretoken"],
    }

    foreign = client.post(form.action, values, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert walk.ticket.state == "pending"

    own = client.post(form.action, values, headers={"Origin": "http://testserver"})
    assert own.status_code == 302
    assert walk.ticket.state == "approved"


def test_a_broken_record_is_said_plainly_and_decides_nothing(
    cast: Cast, signed_in: SignIn, caplog: pytest.LogCaptureFixture
):
    walk = a_ticket(cast).pending()
    with a_hand_at_the_console() as cursor:
        cursor.execute(
            "DELETE FROM approvals_auditevent WHERE subject = %s", [f"ticket:{walk.uid}"]
        )

    answer = post(signed_in(cast.bob), walk, "approve")

    assert answer.status_code == 500
    assert answer["X-Placet-Part"] == "ticket"
    said = text_of(answer.content)
    assert "The audit record does not add up" in said
    assert "manage.py verify_audit" in said
    assert "cannot be written to" in caplog.text
    assert walk.ticket.state == "pending"
