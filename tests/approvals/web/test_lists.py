"""The inbox, single rows, what was decided, and the frame around every page."""

import pytest
from pytest_django import DjangoAssertNumQueries

from approvals.domain.canonical import canonical_bytes
from approvals.domain.inspection import ArgumentTable
from approvals.presenters.calls import table_of
from approvals.web import inbox
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

    for address in ("/", "/decided/"):
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

    with django_assert_max_num_queries(20):
        client.get("/")


# -- decided --------------------------------------------------------------------------------


def test_decided_tickets_can_be_narrowed(cast: Cast, signed_in: SignIn):
    a_ticket(cast, arguments=numbered(1)).succeeded()
    a_ticket(cast, arguments=numbered(2)).rejected_by(cast.bob)
    a_ticket(cast, arguments=numbered(3), tool_name="move_file").rejected_by(cast.bob)
    a_ticket(cast, arguments=numbered(4)).pending()
    client = signed_in(cast.carol)

    def shown(query: str) -> set[int]:
        text = text_of(client.get(f"/decided/{query}").content)
        return {number for number in (1, 2, 3, 4) if f"/tmp/{number}" in text}

    assert shown("") == {1, 2, 3}
    assert shown("?outcome=rejected") == {2, 3}
    assert shown("?outcome=rejected&tool=move_file") == {3}
    assert shown("?agent=robo") == {1, 2, 3}
    assert shown("?agent=nobody") == set()
    assert shown("?outcome=pending") == {1, 2, 3}  # no such outcome: not narrowed


def test_no_match_says_how_to_widen(cast: Cast, signed_in: SignIn):
    text = text_of(signed_in(cast.bob).get("/decided/?tool=x").content)

    assert "No ticket matches" in text
    assert "Show all" in text


def test_pages_of_decided_tickets_follow_each_other_by_key(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox, "PAGE_ROWS", 2)
    for number in range(5):
        a_ticket(cast, arguments=numbered(number)).rejected_by(cast.bob)
    client = signed_in(cast.bob)
    seen: list[str] = []
    address = "/decided/?outcome=rejected"
    for _ in range(3):
        page = client.get(address).content.decode()
        seen += [n for n in "43210" if f"/tmp/{n}" in page]
        older = page.partition('">Older')[0].rpartition('href="')[2].replace("&amp;", "&")
        address = older
    assert seen == ["4", "3", "2", "1", "0"]
    assert "Older" not in page
    assert "Newest" in page


def test_an_unreadable_key_shows_the_newest(cast: Cast, signed_in: SignIn):
    a_ticket(cast).rejected_by(cast.bob)
    client = signed_in(cast.bob)

    for key in ("x", "-1", "9" * 40, "\u0661"):
        assert client.get(f"/decided/?before={key}").status_code == 200
