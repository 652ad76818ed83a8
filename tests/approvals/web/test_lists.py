"""The inbox, single rows, what was decided, and the frame around every page."""

import pytest
from pytest_django import DjangoAssertNumQueries

from approvals.domain.canonical import canonical_bytes
from approvals.domain.inspection import ArgumentTable
from approvals.presenters.calls import table_of
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.pages import text_of


def numbered(number: int) -> bytes:
    return canonical_bytes({"path": f"/tmp/{number}"})


def test_a_new_ticket_needs_its_reviewers_and_is_counted(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    page = signed_in(cast.bob).get("/").content
    text = text_of(page)

    assert text.startswith("(1) Inbox")
    assert text.index("Needs you 1 ticket") < text.index("delete_file on /tmp/report.txt")
    assert f'data-uid="{walk.uid}" data-version="1"' in page.decode()
    assert "0 of 1 Reviewers" in text


def test_a_ticket_i_voted_on_waits_for_others(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    a_ticket(cast).approved_by(cast.bob)

    text = text_of(signed_in(cast.bob).get("/").content)

    assert "Nothing needs you now" in text
    assert "Waiting on others 1 open" in text
    assert "1 of 2 Reviewers" in text


def test_an_unknown_outcome_needs_somebody_who_looks(cast: Cast, signed_in: SignIn):
    a_ticket(cast).unknown()

    text = text_of(signed_in(cast.bob).get("/").content)

    assert text.index("Needs you") < text.index("Outcome unknown") < text.index("Waiting on")
    assert "record what happened" in text
    assert text.startswith("(1) ")


def test_an_empty_inbox_says_what_will_happen(cast: Cast, signed_in: SignIn):
    text = text_of(signed_in(cast.charlie).get("/").content)

    assert "Nothing needs you now" in text
    assert "appears here by itself" in text


def test_people_outside_the_team_and_group_see_no_ticket(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.charlie)

    for address in ("/", "/history/"):
        assert str(walk.uid) not in client.get(address).content.decode()
    assert client.get(f"/tickets/{walk.uid}/row/").status_code == 404


def test_a_very_large_call_is_not_read_through_for_a_list(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    arguments = canonical_bytes({"items": [0] * 40_000})
    a_ticket(cast, arguments=arguments).pending()
    a_ticket(cast).pending()
    read: list[int] = []

    def counted(found: bytes | None, schema: object = None) -> ArgumentTable | None:
        read.append(len(found or b""))
        return table_of(found, schema)

    monkeypatch.setattr("approvals.presenters.gists.table_of", counted)
    text = text_of(signed_in(cast.bob).get("/").content)

    assert f"{len(arguments):,} bytes of arguments" in text
    assert "delete_file on /tmp/report.txt" in text
    assert max(read) < 100


def test_a_row_can_be_fetched_alone(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    row = signed_in(cast.bob).get(f"/tickets/{walk.uid}/row/").content.decode().strip()

    assert row.startswith(f'<tr id="t-{walk.uid}"')
    assert row.endswith("</tr>")


def test_a_list_that_exchanges_itself_gets_only_the_list(cast: Cast, signed_in: SignIn):
    headers = {"HX-Request": "true", "HX-Target": "inbox"}

    part = signed_in(cast.bob).get("/", headers=headers).content.lstrip()

    assert part.startswith(b'<div id="inbox"')
    assert b"<html" not in part


def test_the_frame_can_be_fetched_alone(cast: Cast, signed_in: SignIn):
    a_ticket(cast).pending()

    part = signed_in(cast.bob).get("/frame/").content.decode()

    assert 'id="gate" data-needs-you="1"' in part
    assert "<html" not in part


@pytest.mark.parametrize("many", [2, 12])
def test_the_inbox_takes_the_same_number_of_queries_whatever_its_length(
    cast: Cast, signed_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries, many: int
):
    for number in range(many):
        a_ticket(cast, arguments=numbered(number)).pending()
    client = signed_in(cast.bob)
    client.get("/account/")

    with django_assert_max_num_queries(14):
        client.get("/")


# -- decided --------------------------------------------------------------------------------


def test_more_calls_on_their_way_than_are_listed_are_led_to(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("approvals.selectors.inbox.GROUP_ROWS", 1)
    for number in range(2):
        a_ticket(cast, arguments=numbered(number)).sent()

    page = signed_in(cast.bob).get("/").content.decode()

    assert page.count("<tr id=") == 1
    assert 'href="/history/?state=open"' in page


def test_a_long_group_leads_to_its_next_page_and_back(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("approvals.selectors.inbox.GROUP_ROWS", 1)
    walks = [a_ticket(cast, arguments=numbered(number)).pending() for number in range(2)]
    client = signed_in(cast.bob)

    first = client.get("/").content.decode()
    address = f"/?group=needs&amp;after={walks[0].ticket.pk}"
    assert address in first
    assert str(walks[1].uid) not in first

    second = client.get(address.replace("&amp;", "&")).content.decode()
    assert str(walks[0].uid) not in second
    assert str(walks[1].uid) in second
    assert "Back to the first ones" in second
