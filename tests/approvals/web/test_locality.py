"""Each reader's own language and time zone."""

import pytest
from django.test import Client

from approvals.models import Person
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket


def test_what_a_person_chose_counts_before_what_their_browser_asks_for(
    cast: Cast, signed_in: SignIn
):
    client = signed_in(cast.bob)
    german = {"Accept-Language": "de-CH,de;q=0.8"}

    asked = client.get("/account/", headers=german)
    assert b'<html lang="de" dir="ltr">' in asked.content
    assert b"Ihr Konto" in asked.content
    assert asked["Content-Language"] == "de"
    assert "Accept-Language" in asked["Vary"]

    saved = client.post("/account/", {"language": "en", "time_zone": "Asia/Kathmandu"})
    assert saved.status_code == 302
    assert b'<html lang="en" dir="ltr">' in client.get("/account/", headers=german).content
    assert Person.objects.get(pk=cast.bob.person_id).time_zone == "Asia/Kathmandu"


def test_before_signing_in_the_browser_is_asked(client: Client):
    assert (
        b'<html lang="de"'
        in client.get("/accounts/login/", headers={"Accept-Language": "de"}).content
    )
    assert (
        b'<html lang="en"'
        in client.get("/accounts/login/", headers={"Accept-Language": "fr,ja"}).content
    )


def test_moments_are_told_in_the_chosen_zone(cast: Cast, signed_in: SignIn):
    ticket = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    assert b" UTC</time>" in client.get(f"/tickets/{ticket.uid}/").content

    client.post("/account/", {"language": "", "time_zone": "Asia/Kathmandu"})
    page = client.get(f"/tickets/{ticket.uid}/").content
    assert b" +0545</time>" in page
    assert b'data-zone="Asia/Kathmandu"' in page
    assert b" UTC</time>" not in page


@pytest.mark.parametrize(
    "choice", [{"language": "tlh"}, {"time_zone": "Europe/Nowhere"}, {"time_zone": "../etc/passwd"}]
)
def test_a_language_or_zone_that_nobody_offers_is_not_kept(
    cast: Cast, signed_in: SignIn, choice: dict[str, str]
):
    client = signed_in(cast.bob)
    answer = client.post("/account/", choice)

    assert answer.status_code == 422
    assert b"Choose one of the languages and time zones" in answer.content
    kept = Person.objects.get(pk=cast.bob.person_id)
    assert (kept.language, kept.time_zone) == ("", "")
