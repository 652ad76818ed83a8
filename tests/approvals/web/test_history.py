"""The history as a page and as a file: what its address says, what it shows and what it costs."""

import asyncio
import csv
import io

import pytest
from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory

from approvals.domain.canonical import canonical_bytes
from approvals.presenters.spreadsheet import safe_cell
from approvals.selectors import searching
from approvals.web import history
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.pages import text_of


def numbered(number: int) -> bytes:
    return canonical_bytes({"path": f"/tmp/{number}"})


def test_what_was_called_can_be_narrowed(cast: Cast, signed_in: SignIn):
    a_ticket(cast, arguments=numbered(1)).succeeded()
    a_ticket(cast, arguments=numbered(2)).rejected_by(cast.bob)
    a_ticket(cast, arguments=numbered(3), tool_name="move_file").rejected_by(cast.bob)
    fourth = a_ticket(cast, arguments=numbered(4)).pending().ticket.pk
    client = signed_in(cast.carol)

    def shown(query: str) -> set[int]:
        text = text_of(client.get(f"/history/{query}").content)
        return {number for number in (1, 2, 3, 4) if f"/tmp/{number}" in text}

    assert shown("") == {1, 2, 3, 4}
    assert shown("?state=over") == {1, 2, 3}
    assert shown("?state=open") == {4}
    assert shown("?state=rejected") == {2, 3}
    assert shown("?state=rejected&tool=move") == {3}
    assert shown("?q=move") == {3}
    assert shown(f"?q=%23{fourth}") == shown(f"?q={fourth}") == {4}
    assert shown("?agent=nobody") == set()
    assert shown("?since=2020-01-01&until=2020-01-02") == set()
    assert shown("?state=nonsense&risk=enormous") == {1, 2, 3, 4}  # no such things: not narrowed


def test_the_form_keeps_what_was_asked_for(cast: Cast, signed_in: SignIn):
    page = signed_in(cast.bob).get("/history/?q=%22x&state=over&owner=al&since=2026-01-02").content
    text = page.decode()

    assert 'value="&quot;x"' in text
    assert '<option value="over" selected>' in text
    assert 'id="f-owner" name="owner" maxlength="256"' in text
    assert 'value="2026-01-02"' in text
    assert '<details class="more" id="more-filters" open>' in text


def test_a_day_that_is_none_is_said_so(cast: Cast, signed_in: SignIn):
    for day in ("yesterday", "2026-02-30", "0000-01-01", "2026-1-1"):
        text = text_of(signed_in(cast.bob).get(f"/history/?since={day}").content)
        assert "A day is written like 2026-11-22." in text


def test_no_match_says_how_to_widen(cast: Cast, signed_in: SignIn):
    text = text_of(signed_in(cast.bob).get("/history/?tool=x").content)

    assert "No ticket matches" in text
    assert "Show all" in text


def test_pages_follow_each_other_by_key_and_keep_the_filters(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(searching.history.__kwdefaults__, "limit", 2)
    for number in range(5):
        a_ticket(cast, arguments=numbered(number)).rejected_by(cast.bob)
    client = signed_in(cast.bob)
    seen: list[str] = []
    address = "/history/?state=rejected"
    for _ in range(3):
        page = client.get(address).content.decode()
        seen += [n for n in "43210" if f"/tmp/{n}" in page]
        address = page.partition('">Older')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert seen == ["4", "3", "2", "1", "0"]
    assert "Older" not in page
    assert "Newest" in page


def test_an_unreadable_address_shows_the_newest(cast: Cast, signed_in: SignIn):
    a_ticket(cast).rejected_by(cast.bob)
    client = signed_in(cast.bob)

    for key in (
        "before=x",
        "before=-1",
        "before=" + "9" * 40,
        "before=\u0661",
        "q=%00",
        "q=%ED%A0%80",
    ):
        assert client.get(f"/history/?{key}").status_code == 200
    assert client.get("/?group=needs&after=x").status_code == 200


def test_looking_far_back_says_so_and_goes_on(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("approvals.selectors.walks.LOOK", 1)
    for number in range(2):
        a_ticket(cast, arguments=numbered(number)).rejected_by(cast.bob)
    text = text_of(signed_in(cast.dora).get("/history/?risk=high").content)
    assert "Looked back as far as ticket" in text
    assert "Look further back" in text


def test_the_file_holds_what_the_page_shows(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(searching.history.__kwdefaults__, "limit", 2)
    for number in range(3):
        a_ticket(cast, arguments=numbered(number)).rejected_by(cast.bob)
    a_ticket(cast, arguments=numbered(9)).pending()
    client = signed_in(cast.bob)

    answer = client.get("/history/export.csv?state=over")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert [row["target"] for row in rows] == [f"/tmp/{n}" for n in (2, 1, 0)]
    assert {row["state"] for row in rows} == {"rejected"}
    assert b"".join(signed_in(cast.charlie).get("/history/export.csv")).count(b"\n") == 1

    monkeypatch.setattr(history, "EXPORT_ROWS", 1)
    assert b"".join(client.get("/history/export.csv")).count(b"\n") == 2


def test_the_file_is_sent_where_an_event_loop_serves(cast: Cast):
    async def sent() -> list[str]:
        request = AsyncRequestFactory().get("/history/export.csv")
        request.user = cast.charlie
        answer = await sync_to_async(history.export)(request)
        assert isinstance(answer, StreamingHttpResponse)
        assert answer.is_async
        return [part async for part in history.without_blocking(iter(["a", "b"]))]

    assert asyncio.run(sent()) == ["a", "b"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(text: str):
    assert safe_cell(text).startswith("'")


def test_a_cell_is_none_that_parts_into_a_formula_at_its_semicolons():
    assert safe_cell("a;=1+1; -2;b") == "a;'=1+1;' -2;b"


def test_a_cell_spells_out_what_nobody_sees():
    assert safe_cell("a\u202eb\0") == "a[U+202E]b[U+0000]"
    assert safe_cell("delete_file") == "delete_file"
