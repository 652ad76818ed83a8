"""Two reviewers in two browsers, pages that are too old, and keys alone: always one truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from approvals.models import Decision
from approvals.services.decisions import cancel_by_person
from tests.browser.conftest import PATIENCE_MS, Backstage, Visit
from tests.browser.test_reviewing import decidable, pending, state
from tests.support.builders import Cast, a_policy

PHONE = {"width": 390, "height": 844}
# To decide, where a test waits until they are over: time to open the page, and no time for a page
# without its socket to ask again by itself.
SECONDS = 8


def votes(backstage: Backstage, uid: object) -> int:
    return int(str(backstage(Decision.objects.filter(ticket__uid=uid).count)))


@pytest.mark.parametrize("by", ["mouse", "space"])
def test_a_press_is_not_lost_when_the_page_hears_of_a_change_in_its_midst(
    cast: Cast, visit: Visit, backstage: Backstage, by: str
):
    backstage(a_policy, quorum=2)
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    decidable(page)
    page.locator("#reject").hover()
    page.locator("#reject").focus()
    press, release = {
        "mouse": (page.mouse.down, page.mouse.up),
        "space": (partial(page.keyboard.down, " "), partial(page.keyboard.up, " ")),
    }[by]
    press()
    with page.expect_response(f"**/tickets/{walk.uid}/**"):
        backstage(walk.approved_by, cast.carol)
    page.wait_for_timeout(100)  # an exchange would be over by now
    release()
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
    assert state(backstage, walk) == "rejected"


MOVED_ON_WHILE_A_PART_SETTLED = """() => {
    const xhr = {};
    const happens = (name) => document.dispatchEvent(new CustomEvent(name, { detail: { xhr } }));
    document.querySelector("#verdict").focus();
    happens("htmx:beforeSwap");
    document.querySelector("#next-one").focus();
    happens("htmx:afterSettle");
}"""


@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_by_keyboard_alone_from_one_ticket_to_the_next(
    cast: Cast, visit: Visit, backstage: Backstage, size: dict[str, int] | None
):
    first = pending(backstage, cast, path="/srv/first")
    second = pending(backstage, cast, path="/srv/second")
    page = visit(cast.bob, types=True, **({"viewport": size} if size else {}))

    page.keyboard.press("j")
    expect(page.get_by_role("link", name="delete_file on /srv/first")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets/{first.uid}/")
    decidable(page)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Approved, not started yet")).to_be_focused()
    page.keyboard.press("Tab")
    following = page.get_by_role("link", name="Next one that needs you")
    expect(following).to_be_focused()
    page.evaluate(MOVED_ON_WHILE_A_PART_SETTLED)
    expect(following).to_be_focused()
    backstage(first.succeeded)
    expect(page.get_by_role("heading", name="Approved and run")).to_be_visible()
    expect(following).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets/{second.uid}/")

    assert state(backstage, first) == "succeeded"
    assert state(backstage, second) == "pending"


def test_pressing_twice_going_back_and_sending_again_decide_once(
    cast: Cast, visit: Visit, backstage: Backstage
):
    backstage(a_policy, quorum=2)
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    decidable(page)
    sent: list[str] = []
    page.on(
        "request",
        lambda request: sent.append(request.post_data or "") if request.method == "POST" else None,
    )

    page.locator("#approve").dblclick()
    expect(page.get_by_role("heading", name="You have voted")).to_be_visible()
    assert len(sent) == 1
    assert votes(backstage, walk.uid) == 1

    again = page.evaluate(
        """async ([address, body]) => (await fetch(address, {method: "POST", body,
          headers: {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true",
          "HX-Target": "ticket"}})).status""",
        [f"/tickets/{walk.uid}/decide/", sent[0]],
    )
    assert again in (200, 403, 409)
    page.goto("/")
    page.go_back()
    expect(page.get_by_role("heading", name="You have voted")).to_be_visible()
    expect(page.locator("#approve")).to_have_count(0)
    assert votes(backstage, walk.uid) == 1


def test_of_two_who_decide_at_once_one_decides_and_the_other_is_told(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    bob = visit(cast.bob, f"/tickets/{walk.uid}/")
    carol = visit(cast.carol, f"/tickets/{walk.uid}/")
    deaf(carol)
    carol.reload()
    decidable(bob)
    decidable(carol)

    bob.locator("#reject").click()
    expect(bob.get_by_role("heading", name="Rejected")).to_be_visible()
    with carol.expect_response(f"**/tickets/{walk.uid}/decide/") as late:
        carol.locator("#approve").click()

    assert late.value.status == 409
    expect(carol.get_by_text("This ticket has already been decided.")).to_be_visible()
    expect(carol.get_by_role("alert").first).to_be_focused()
    expect(carol.get_by_role("heading", name="Rejected")).to_be_visible()
    expect(carol.locator("#approve")).to_have_count(0)
    assert state(backstage, walk) == "rejected"
    assert votes(backstage, walk.uid) == 1


def test_a_tab_whose_session_ended_elsewhere_decides_nothing(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    deaf(page)
    page.reload()
    other = page.context.new_page()
    other.goto("/account/")
    decidable(other)
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/accounts/login/**")
    decidable(page)

    page.locator("#approve").click()

    page.wait_for_url("**/accounts/login/**")
    assert state(backstage, walk) == "pending"


def test_a_ticket_that_expires_under_the_hand_is_not_decided(
    cast: Cast, visit: Visit, backstage: Backstage
):
    page = visit(cast.bob)
    deaf(page)
    backstage(a_policy, approval_seconds=SECONDS)
    walk = pending(backstage, cast, path="/srv/a")
    page.goto(f"/tickets/{walk.uid}/")
    decidable(page)
    expect(page.locator(".deadline b")).to_have_text("time is up")
    approve = page.locator("#approve")
    expect(approve).to_be_visible()  # nobody has told the page

    with page.expect_response(f"**/tickets/{walk.uid}/decide/") as late:
        approve.click()

    assert late.value.status == 409
    expect(page.get_by_text("The time to decide on this ticket is over.")).to_be_visible()
    expect(page.locator("#approve")).to_have_count(0)
    assert state(backstage, walk) == "expired"
    assert votes(backstage, walk.uid) == 0


def test_what_happened_while_the_socket_was_cut_is_shown_once_it_is_back(
    cast: Cast, visit: Visit, backstage: Backstage
):
    first = pending(backstage, cast, path="/srv/first")
    page = visit(cast.bob)
    sockets: list[WebSocketRoute] = []
    cut = [False]

    def between(socket: WebSocketRoute) -> None:
        if cut[0]:
            socket.close()
            return
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/ws/doorbell/*", between)
    page.goto(f"/tickets/{first.uid}/")
    decidable(page)
    until(page, lambda: bool(sockets))
    assert len(sockets) == 1

    cut[0] = True
    sockets[0].close()
    backstage(cancel_by_person, uid=first.uid, user=cast.alice)
    expect(page.locator("#approve")).to_be_visible()
    cut[0] = False

    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    expect(page.locator("#approve")).to_have_count(0)


def test_a_page_hears_of_what_changed_before_its_first_connection(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob)

    def late(socket: WebSocketRoute) -> None:
        backstage(cancel_by_person, uid=walk.uid, user=cast.alice)
        socket.connect_to_server()

    page.route_web_socket("**/ws/doorbell/*", late)
    page.goto(f"/tickets/{walk.uid}/")

    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()


def until(page: Page, look: Callable[[], bool]) -> None:
    """Wait, bounded, for what the driver tells this test; it only does while it is waited for."""
    for _ in range(PATIENCE_MS // 100):
        if look():
            return
        page.wait_for_timeout(100)


def deaf(page: Page) -> None:
    """From its next load on the page hears of nothing."""
    page.route_web_socket("**/ws/doorbell/*", lambda socket: socket.close())


def test_many_changes_are_asked_for_together_and_the_reader_keeps_their_place(
    cast: Cast, visit: Visit, backstage: Backstage
):
    backstage(a_policy, quorum=2)
    walks = [pending(backstage, cast, path=f"/srv/{number}") for number in range(4)]
    page = visit(cast.bob)
    expect(page.locator("body")).to_have_attribute("data-signed-in", "")
    page.locator(f"#pick-{walks[1].uid}").check()  # whoever has focus in the list finds it as it is
    page.evaluate("performance.clearResourceTimings()")

    for walk in walks:
        backstage(walk.approved_by, cast.carol)
    for walk in walks:
        expect(page.locator(f"#t-{walk.uid} .quorum")).to_contain_text("1 of 2")

    expect(page.locator(f"#pick-{walks[1].uid}")).to_be_checked()
    expect(page.locator(f"#pick-{walks[1].uid}")).to_be_focused()
    asked = page.evaluate(
        "performance.getEntriesByType('resource').map(r => [r.name, r.startTime])"
    )
    frames = [at for url, at in asked if url.endswith("/frame/")]
    assert frames
    assert all(later - earlier > 950 for earlier, later in pairwise(frames))  # ms
    assert len(asked) <= 2 * len(frames) + 2, "rows are asked for together"

    # What arrives while the reader presses waits behind the button, not for the next bell.
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    page.evaluate("document.dispatchEvent(new PointerEvent('pointerdown'))")
    with page.expect_response(lambda answer: answer.url == page.url):
        pending(backstage, cast, path="/srv/late")
    page.locator(f"#pick-{walks[1].uid}").focus()
    page.evaluate("document.dispatchEvent(new PointerEvent('pointerup'))")
    expect(page.locator("#new-pill")).to_contain_text("1")
    expect(page.locator("#new-pill")).to_be_visible()
