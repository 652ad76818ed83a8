"""Giving, seeing and revoking standing permissions in the pages, without any script."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.domain.canonical import canonical_bytes
from approvals.models import Grant
from approvals.presenters.gists import kept
from approvals.services import people
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_policy, a_ticket, killed
from tests.support.pages import form_to, forms, text_of

ONE = b'{"force":true,"path":"/tmp/a"}'
OTHER = b'{"force":true,"path":"/tmp/b"}'
SESSION = "5e55" * 16


def terms_page(client, walk, **asked):
    """The page for these terms, as a browser gets there from the ticket's page."""
    return client.get(f"/tickets/{walk.uid}/grant/", {"for": "agent", **asked}).content


def giving(page):
    """The form that approves on the terms that the page was shown with."""
    return next(form for form in forms(page) if form.method == "post" and "/grant/" in form.action)


def give(client, walk, *, free=(), uses="2", seconds="3600", **changes):
    page = terms_page(client, walk, free=free, uses=uses, seconds=seconds)
    form = giving(page)
    return client.post(form.action, form.values(**changes), follow=True)


def test_the_ticket_leads_to_a_page_that_pins_everything(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=ONE).pending()
    client = signed_in(cast.bob)
    ticket = client.get(f"/tickets/{walk.uid}/").content.decode()
    assert f"/tickets/{walk.uid}/grant/" in ticket

    page = terms_page(client, walk)

    assert "exactly these arguments" in text_of(page)
    assert "Leave open" in text_of(page)
    assert b"checked" not in page.split(b'class="pins"')[1].split(b"</ul>")[0]
    assert walk.ticket.state == "pending"


def test_approving_on_terms_makes_a_permission_that_lets_the_next_call_through(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast, arguments=ONE).pending()
    client = signed_in(cast.bob)

    done = give(client, walk, free=["/path"])

    grant = Grant.objects.get()
    assert (grant.max_uses, grant.pins["free"]) == (2, ["/path"])
    assert "gave permission for 2 more calls of this agent" in text_of(done.content)
    assert f"/grants/{grant.pk}/" in done.content.decode()
    given = text_of(client.get(f"/grants/{grant.pk}/").content)
    assert "May be anything at all, or missing." in given
    assert "then be anything" not in given
    again = a_ticket(cast, arguments=OTHER).pending()
    assert again.submitted is not None
    assert again.submitted.kind == "by_grant"
    shown = client.get(f"/tickets/{again.uid}/").content
    assert f"/grants/{grant.pk}/" in shown.decode()
    assert "Let through by a standing permission" in text_of(shown)


def test_what_an_open_argument_opens_is_said(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=b'{"force":true,"in":{"a":1},"path":"/tmp/a"}').pending()

    page = text_of(terms_page(signed_in(cast.bob), walk, free=["/path", "/in"], uses=3, seconds=60))

    assert "May then be anything at all, or missing." in page
    assert "May then be anything at all, with everything inside it." in page
    assert "3 more calls of this agent, within 1 min" in page


def test_past_calls_are_shown_and_past_rejections_have_to_be_confirmed(
    cast: Cast, signed_in: SignIn
):
    a_ticket(cast, arguments=OTHER).rejected_by(cast.carol)
    a_ticket(cast, arguments=b'{"force":true,"path":"/tmp/c"}').succeeded()
    walk = a_ticket(cast, arguments=ONE).pending()
    client = signed_in(cast.bob)

    assert "0 calls, of 2" in text_of(terms_page(client, walk))
    page = text_of(terms_page(client, walk, free=["/path"], uses=2, seconds=60))
    assert "2 calls, of 2" in page
    assert "A person rejected 1 of them." in page

    refused = give(client, walk, free=["/path"])
    assert refused.status_code == 422
    assert "Confirm that you know" in text_of(refused.content)
    assert walk.ticket.state == "pending"
    give(client, walk, free=["/path"], confirmed="yes")
    assert Grant.objects.count() == 1


def test_a_session_is_offered_only_where_the_call_came_in_one(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    without = a_ticket(cast, arguments=ONE).pending()
    assert "knows no sessions" in text_of(terms_page(client, without))
    within = a_ticket(cast, arguments=OTHER, session=SESSION).pending()
    proposed = client.get(f"/tickets/{within.uid}/grant/").content
    assert giving(proposed).fields["for"] == ["session"], "the narrowest is proposed"
    assert "in this session only" in text_of(terms_page(client, within))

    page = terms_page(client, within, **{"for": "session", "uses": 2, "seconds": 60})
    form = giving(page)
    client.post(form.action, form.values())

    assert Grant.objects.get().pins["session"] == SESSION


def test_the_second_reviewer_is_shown_the_terms_of_the_first(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    first = give(signed_in(cast.bob), walk, free=["/path"])
    assert "More people have to agree" in text_of(first.content)
    client = signed_in(cast.carol)
    ticket = text_of(client.get(f"/tickets/{walk.uid}/").content)
    assert "bob agreed to 2 more calls of this agent, within 1 h as well." in ticket

    page = client.get(f"/tickets/{walk.uid}/grant/").content
    assert "agreed to exactly these terms" in text_of(page)
    form = giving(page)
    client.post(form.action, form.values())

    assert Grant.objects.get().made_from_id == walk.ticket.pk


def test_a_reviewer_who_agrees_to_other_terms_is_told_that_no_permission_came_of_it(
    cast: Cast, signed_in: SignIn
):
    a_policy(quorum=2)
    walk = a_ticket(cast, arguments=ONE).pending()
    give(signed_in(cast.bob), walk, free=["/path"])

    done = give(signed_in(cast.carol), walk)

    assert "No permission came of it" in text_of(done.content)
    assert walk.ticket.state == "approved"
    assert Grant.objects.count() == 0


@pytest.mark.parametrize("who", ["alice", "dora"])
def test_who_may_not_approve_is_led_back_to_the_ticket(cast: Cast, signed_in: SignIn, who: str):
    walk = a_ticket(cast, arguments=ONE).pending()
    answer = signed_in(getattr(cast, who)).get(f"/tickets/{walk.uid}/grant/")
    assert answer.status_code == 302
    values = {"nonce": "n", "seen_digest": bytes(walk.ticket.digest).hex(), "uses": 1, "seconds": 9}
    signed_in(getattr(cast, who)).post(f"/tickets/{walk.uid}/grant/", values)
    assert walk.ticket.state == "pending"


def test_strangers_see_neither_the_page_nor_any_permission(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=ONE).pending()
    give(signed_in(cast.bob), walk)
    grant = Grant.objects.get()
    client = signed_in(cast.charlie)
    for address in (f"/tickets/{walk.uid}/grant/", f"/grants/{grant.pk}/"):
        assert client.get(address).status_code == 404
        assert client.post(address).status_code in {404, 405}
    assert client.post(f"/grants/{grant.pk}/revoke/").status_code == 404
    assert str(grant.pk) not in client.get("/grants/").content.decode()
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_a_value_shown_cut_has_to_be_opened_before_a_permission_too(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=canonical_bytes({"text": "line\n" * 2000})).pending()
    client = signed_in(cast.bob)
    page = terms_page(client, walk)
    assert not [f for f in forms(page) if f.method == "post" and "/grant/" in f.action]
    values = {"nonce": "n", "seen_digest": bytes(walk.ticket.digest).hex(), "uses": 1, "seconds": 9}
    assert client.post(f"/tickets/{walk.uid}/grant/", values).status_code == 422

    ticket = client.get(f"/tickets/{walk.uid}/?open=0").content.decode()
    link = ticket.split(f'href="/tickets/{walk.uid}/grant/')[1].split('"')[0]
    page = client.get(f"/tickets/{walk.uid}/grant/{link}".replace("&amp;", "&")).content
    form = giving(page)
    client.post(form.action, form.values())
    assert Grant.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [{"seen_digest": "00" * 32}, {"seen_digest": "zz"}, {"nonce": ""}],
    ids=lambda change: next(iter(change)),
)
def test_a_stale_or_broken_form_gives_nothing(cast: Cast, signed_in: SignIn, change):
    walk = a_ticket(cast, arguments=ONE).pending()
    client = signed_in(cast.bob)
    give(client, walk, **change)
    form = giving(terms_page(client, walk))
    client.post(form.action, form.values(uses="many"))
    assert walk.ticket.state == "pending"
    assert not Grant.objects.exists()


def test_a_form_that_is_too_old_shows_what_changed_and_one_sent_twice_says_so(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast, arguments=ONE).pending()
    client = signed_in(cast.bob)
    form = giving(terms_page(client, walk, free=["/path"], uses="2", seconds="60"))

    old = client.post(form.action, form.values(seen_digest="00" * 32, reason="fine by me"))
    assert old.status_code == 409
    assert "The ticket changed after you saw it" in text_of(old.content)
    assert form_to(old.content, "/decide/").fields["reason"] == ["fine by me"]

    client.post(form.action, form.values())
    again = client.post(form.action, form.values(), follow=True)
    assert "This was sent before." in text_of(again.content)
    late = signed_in(cast.carol).post(form.action, form.values(nonce="other"))
    assert late.status_code == 409
    assert "This ticket has already been decided" in text_of(late.content)
    assert Grant.objects.count() == 1


def test_a_permission_whose_giver_left_says_that_it_is_held_back(cast: Cast, signed_in: SignIn):
    give(signed_in(cast.bob), a_ticket(cast, arguments=ONE).pending())
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    client = signed_in(cast.carol)

    assert "Held back" in text_of(client.get("/grants/").content)
    page = text_of(client.get(f"/grants/{Grant.objects.get().pk}/").content)
    assert "not everybody who agreed to it may still approve its calls" in page


def test_while_everything_is_stopped_no_permission_is_given(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=ONE).pending()
    killed(cast)
    values = {"nonce": "n", "seen_digest": bytes(walk.ticket.digest).hex(), "uses": 1, "seconds": 9}
    signed_in(cast.bob).post(f"/tickets/{walk.uid}/grant/", values)
    assert not Grant.objects.exists()


def test_a_permission_is_revoked_by_whoever_decides_on_its_calls(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=ONE).pending()
    give(signed_in(cast.bob), walk)
    grant = Grant.objects.get()
    client = signed_in(cast.carol)
    page = client.get(f"/grants/{grant.pk}/").content
    assert client.get(f"/grants/{grant.pk}/revoke/").status_code == 302
    grant.refresh_from_db()
    assert grant.revoked_at is None

    form = form_to(page, "/revoke/")
    done = client.post(form.action, form.values(), follow=True)

    assert "Revoked" in text_of(done.content)
    assert "carol" in text_of(done.content)
    assert str(grant.pk) in client.get("/grants/?show=over").content.decode()
    assert str(grant.pk) not in client.get("/grants/").content.decode()


def test_a_used_up_permission_is_revoked_as_long_as_a_call_of_it_is_unsent(
    cast: Cast, signed_in: SignIn
):
    client = signed_in(cast.bob)
    give(client, a_ticket(cast, arguments=ONE).pending(), free=["/path"], uses="1")
    grant = Grant.objects.get()
    last = a_ticket(cast, arguments=OTHER).pending()
    assert last.ticket.state == "approved"

    form = form_to(client.get(f"/grants/{grant.pk}/").content, "/revoke/")
    done = client.post(form.action, form.values(), follow=True)

    assert last.ticket.state == "cancelled"
    assert not [form for form in forms(done.content) if form.action.endswith("/revoke/")]


def test_a_used_up_permission_whose_calls_were_sent_is_over(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    give(client, a_ticket(cast, arguments=ONE).pending(), free=["/path"], uses="1")
    a_ticket(cast, arguments=OTHER).pending().succeeded()

    page = client.get(f"/grants/{Grant.objects.get().pk}/").content

    assert not [form for form in forms(page) if form.action.endswith("/revoke/")]


def test_a_team_mate_sees_a_permission_but_does_not_revoke_it(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast, arguments=ONE).pending()
    give(signed_in(cast.bob), walk)
    grant = Grant.objects.get()
    client = signed_in(cast.alice)
    page = client.get(f"/grants/{grant.pk}/").content
    assert not [form for form in forms(page) if form.action.endswith("/revoke/")]
    client.post(f"/grants/{grant.pk}/revoke/")
    grant.refresh_from_db()
    assert grant.revoked_at is None


def test_the_list_costs_the_same_however_long_it_is(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)

    def queries() -> int:
        kept.forget()  # as in a process that has shown none of them
        with CaptureQueriesContext(connection) as seen:
            client.get("/grants/")
        return len(seen)

    counts = set()
    for number in range(3):
        walk = a_ticket(cast, arguments=canonical_bytes({"n": number})).pending()
        give(client, walk)
        counts.add(queries())
    assert len(counts) == 1
