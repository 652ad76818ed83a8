"""The page of a flood, and the page on which people say that they are away."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import api
from approvals.models import Absence, AgentPause, Decision, Ticket
from approvals.services import people
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to


@pytest.fixture
def flooded(cast: Cast) -> str:
    for number in range(6):
        a_ticket(cast, arguments=b'{"path":"/%d","mode":"all"}' % number).pending()
    return f"/bursts/{cast.robo}/?upstream={cast.files}&tool=delete_file"


def test_a_flood_is_one_row_that_says_what_differs(cast, signed_in, flooded):
    page = signed_in(cast.bob).get("/").content.decode()
    assert "6 open calls within" in page
    assert "Nothing else needs you now" in page
    assert "they differ in" in page
    assert "<code><bdi>path</bdi></code>" in page.replace(' dir="auto"', "")
    assert "<bdi>mode</bdi>" not in page
    assert flooded.replace("&", "&amp;") in page
    assert "5 similar calls" in signed_in(cast.bob).get(flooded).content.decode()


def test_looking_at_a_flood_changes_nothing(cast, signed_in, flooded):
    client = signed_in(cast.bob)
    for answer in (client.get(flooded), client.head(flooded)):
        assert answer.status_code == 200
    assert not Decision.objects.exists()
    assert not AgentPause.objects.exists()


def test_one_post_rejects_all_and_pauses_the_agent_which_a_banner_says(cast, signed_in, flooded):
    client = signed_in(cast.bob)
    form = form_to(client.get(flooded).content, flooded)
    late = a_ticket(cast, arguments=b'{"path":"/late"}').pending()
    answer = client.post(form.action, form.values(verb="reject", reason="Too many."))
    assert answer.url == flooded
    left = client.get(answer.url).content.decode()
    assert "6 calls are rejected" in left
    assert "1 more is open" in left
    assert late.ticket.state == "pending"
    page = client.get("/").content.decode()
    assert "is paused since" in page
    resume = f"/agents/{cast.robo}/resume/"
    assert resume in page
    assert resume not in signed_in(cast.carol).get("/").content.decode()
    client.post(resume)
    assert api.paused_agents() == {}


def test_an_agent_can_be_paused_without_rejecting_anything(cast, signed_in, flooded):
    signed_in(cast.bob).post(flooded, {"verb": "pause", "nonce": "n"})
    assert AgentPause.objects.count() == 1
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    "posted",
    [
        {"nonce": "n", "up_to": "9"},
        {"verb": "reject", "up_to": "9"},
        {"verb": "reject", "nonce": "n"},
        {"verb": "reject", "nonce": "n", "up_to": "all"},
        {"verb": "reject", "nonce": "n", "up_to": "9", "reason": "x" * 3000},
    ],
)
def test_an_incomplete_form_decides_nothing(cast, signed_in, flooded, posted):
    assert signed_in(cast.bob).post(flooded, posted).status_code == 422
    assert not Decision.objects.exists()
    assert not AgentPause.objects.exists()


def test_who_has_no_vote_sees_no_flood(cast, signed_in, flooded):
    posted = {"verb": "reject", "nonce": "n", "up_to": Ticket.objects.latest("pk").pk}
    assert signed_in(cast.charlie).post(flooded, posted).status_code == 403
    absent = "/bursts/00000000-0000-0000-0000-000000000000/"
    for user, address in ((cast.bob, absent), (cast.charlie, absent), (cast.charlie, flooded)):
        assert signed_in(user).get(address).status_code == 404
    assert not AgentPause.objects.exists()


def test_a_stranger_does_not_let_an_agent_go_on(cast, signed_in, flooded):
    signed_in(cast.bob).post(flooded, {"verb": "pause", "nonce": "n"})
    signed_in(cast.carol).post(f"/agents/{cast.robo}/resume/")
    assert cast.robo in api.paused_agents()
    assert signed_in(cast.bob).get(f"/agents/{cast.robo}/resume/").status_code == 405


# -- being away -----------------------------------------------------------------------------------


def test_somebody_says_that_they_are_away_and_who_votes_for_them(cast, signed_in):
    group = str(people.ensure_group(slug="reviewers"))
    client = signed_in(cast.bob)
    until = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    posted = {"ends": until, "stand_in": str(cast.carol.person_id), "groups": [group]}
    assert client.post("/away/", posted).status_code == 302
    absence = Absence.objects.get()
    page = client.get("/away/").content.decode()
    assert "carol" in page
    assert "<b>You</b>" in page
    assert "bob" not in page.partition("<main")[2]
    lent = signed_in(cast.carol).get("/away/").content.decode()
    assert "You stand in for" in lent
    assert "You vote in" in lent
    assert "bob" in signed_in(cast.dora).get("/away/").content.decode()
    assert signed_in(cast.charlie).get("/away/").content.decode().count("bob") == 0
    signed_in(cast.charlie).post(f"/away/{absence.pk}/end/")
    assert Absence.objects.get().ended_at is None
    client.post(f"/away/{absence.pk}/end/")
    assert Absence.objects.get().ended_at is not None


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"ends": "soon"},
        {"ends": "2020-01-01T00:00"},
        {"ends": "2099-13-77T00:00"},
        {"ends": "2099-01-01T00:00", "stand_in": "nobody-known"},
    ],
)
def test_an_absence_that_makes_no_sense_is_answered_with_what_is_missing(cast, signed_in, posted):
    answer = signed_in(cast.bob).post("/away/", posted)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Absence.objects.exists()
