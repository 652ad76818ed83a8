"""Hostile texts and pages before a real browser: nothing runs, nobody decides for another."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from approvals.domain.canonical import canonical_bytes
from tests.browser.conftest import Backstage, Visit
from tests.browser.test_reviewing import decidable, pending, state
from tests.browser.test_two_reviewers import PHONE, votes
from tests.support.builders import Cast, TicketWalk, a_ticket
from tests.support.hostile import HOSTILE, a_megabyte
from tests.support.receivers import a_web_page


def test_a_page_of_another_origin_shows_no_ticket_and_decides_on_none(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    ticket = page.url
    fields = {"verdict": "approve", "nonce": "n", "seen_digest": str(backstage(digest, walk))}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    html = (
        f'<iframe src="{ticket}"></iframe>'
        f'<form method="post" action="{ticket}decide/">{inputs}<button>Win</button></form>'
    )
    foreign = page.context.new_page()

    # Of the same site, so that the session's cookie goes along.
    with a_web_page(html) as origin:
        with foreign.expect_event("requestfailed") as framed:
            foreign.goto(origin)
        assert (framed.value.url, framed.value.failure) == (ticket, "net::ERR_BLOCKED_BY_RESPONSE")
        expect(foreign.frames[1].locator("#ticket")).to_have_count(0)
        with foreign.expect_response("**/decide/") as posted:
            foreign.get_by_role("button", name="Win").click()

    assert posted.value.status == 403
    assert "placet=" in posted.value.request.all_headers()["cookie"]
    assert (state(backstage, walk), votes(backstage, walk.uid)) == ("pending", 0)


def digest(walk: TicketWalk) -> str:
    """What the ticket's page was shown with."""
    return bytes(walk.ticket.digest).hex()


def the_pack(cast: Cast) -> list[str]:
    """The addresses of tickets that hold every hostile text in every field."""
    texts = {hostile.text: hostile.text for hostile in HOSTILE}
    every = "\n".join(hostile.text for hostile in HOSTILE)
    names = " ".join(hostile.text for hostile in HOSTILE if hostile.fits_a_column)
    walks = [
        a_ticket(
            cast,
            agent_name=names[:110],
            upstream_name=names[110:170],
            tool_name=names[170:420],
            session_label=names[420:600],
            agent_says=every,
            arguments=canonical_bytes(texts),  # type: ignore[arg-type]
        ).pending(),
        a_ticket(cast, arguments=canonical_bytes({"text": a_megabyte(every)})).pending(),
        a_ticket(cast, arguments=b'{"path":"/b"}', agent_says=every).succeeded(
            canonical_bytes({"content": [{"type": "text", "text": every}]})
        ),
    ]
    edit = f"/tickets/{walks[0].uid}/edit/"
    return ["/", "/history/", edit, *(f"/tickets/{walk.uid}/" for walk in walks)]


def test_hostile_texts_do_nothing_in_a_real_browser(cast: Cast, visit: Visit, backstage: Backstage):
    addresses = backstage(the_pack, cast)
    assert isinstance(addresses, list)
    page = visit(cast.bob, viewport=PHONE)
    strangers: list[str] = []
    ours = page.url.split("/")[2]
    page.on("dialog", lambda dialog: (strangers.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda asked: None if asked.url.split("/")[2] == ours else strangers.append(asked.url),
    )

    for address in addresses:
        page.goto(address)
        decidable(page)
        found = page.evaluate(
            """() => [...document.querySelectorAll(
                'img, iframe, object, embed, base, svg [onload], [onerror], [onfocus], [style]')]
              .map((each) => each.outerHTML.slice(0, 120))"""
        )
        assert not found, address
        assert wider(page) <= 0, address

    assert not strangers


def wider(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
