"""A reviewer at work in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import Page, expect

from approvals.domain.canonical import canonical_bytes
from approvals.domain.snoozing import Choice
from approvals.models import Snooze
from approvals.services.decisions import cancel_by_person
from approvals.services.snoozing import snooze
from tests.browser.conftest import Backstage, Visit
from tests.support.builders import Cast, TicketWalk, a_policy, a_ticket


def pending(backstage: Backstage, cast: Cast, **arguments: object) -> TicketWalk:
    walk = a_ticket(cast, arguments=canonical_bytes(arguments))  # type: ignore[arg-type]
    backstage(walk.pending)
    return walk


def state(backstage: Backstage, walk: TicketWalk) -> str:
    return str(backstage(lambda: walk.ticket.state))


def decidable(page: Page) -> None:
    """Wait until the verbs act: they are inert for a moment after every exchange."""
    expect(page.locator("html[data-guarded]:not([data-inert])")).to_have_count(1)


def test_a_ticket_arrives_is_approved_and_shows_its_outcome_without_a_reload(
    cast: Cast, visit: Visit, backstage: Backstage, record_property: Callable[[str, object], None]
):
    page = visit(cast.bob, types=True)
    expect(page.get_by_text("Nothing needs you now")).to_be_visible()
    expect(page.locator("#offline")).to_be_hidden()

    walk = pending(backstage, cast, path="/srv/report.csv")
    began = time.monotonic()
    row = page.get_by_role("link", name="delete_file on /srv/report.csv")
    row.wait_for()
    took = time.monotonic() - began
    record_property("figure", f"{took:5.2f} s from a ticket's commit to its row in an open inbox")
    expect(page).to_have_title("(1) Inbox · Placet")

    row.click()
    approve = page.get_by_role("button", name="Approve and run delete_file on /srv/report.csv")
    expect(approve).to_be_enabled()
    decidable(page)
    approve.click()
    expect(page.get_by_role("heading", name="Approved, not started yet")).to_be_focused()
    assert state(backstage, walk) == "approved"

    backstage(walk.succeeded, b'{"content":[{"text":"gone for good","type":"text"}]}')
    expect(page.get_by_role("heading", name="Approved and run")).to_be_visible()
    expect(page.get_by_text("gone for good")).to_be_visible()


def test_a_ticket_that_somebody_else_decides_changes_while_one_types(
    cast: Cast, visit: Visit, backstage: Backstage
):
    backstage(a_policy, quorum=2)
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    reason = page.get_by_label("Reason")
    reason.fill("I have loo")

    backstage(walk.approved_by, cast.carol)
    expect(page.get_by_role("heading", name="1 of 2 approvals")).to_be_visible()
    expect(reason).to_have_value("I have loo")
    expect(reason).to_be_focused()
    reason.press_sequentially("ked")
    expect(reason).to_have_value("I have looked")

    backstage(cancel_by_person, uid=walk.uid, user=cast.alice)
    expect(
        page.get_by_role("heading", name="Cancelled")
    ).to_be_focused()  # where they typed is gone
    expect(page.get_by_role("button", name="Reject")).to_have_count(0)


def test_no_row_moves_while_one_has_focus(cast: Cast, visit: Visit, backstage: Backstage):
    pending(backstage, cast, path="/srv/first")
    page = visit(cast.bob)
    first = page.get_by_role("link", name="delete_file on /srv/first")
    first.focus()

    pending(backstage, cast, path="/srv/second")
    pill = page.get_by_role("button", name="1 new")
    expect(pill).to_be_visible()
    expect(page.get_by_role("link", name="delete_file on /srv/second")).to_have_count(0)
    expect(page).to_have_title("(2) Inbox · Placet")
    expect(first).to_be_focused()

    pill.click()
    expect(page.get_by_role("link", name="delete_file on /srv/second")).to_be_visible()
    expect(pill).to_be_hidden()


def test_opening_a_cut_value_keeps_the_reason_and_frees_the_verb(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a", text="line of text\n" * 1000)
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    page.get_by_label("Reason").fill("read it all")
    decidable(page)
    approve = page.locator("#approve")
    expect(approve).to_have_attribute("aria-disabled", "true")

    approve.click(force=True)
    assert state(backstage, walk) == "pending"
    expect(page.locator("#todo a")).to_be_focused()

    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".cut")).to_have_count(0)
    expect(page.get_by_label("Reason")).to_have_value("read it all")
    decidable(page)
    approve.click()
    expect(page.get_by_role("heading", name="Approved, not started yet")).to_be_visible()


def test_a_verb_is_inert_right_after_the_page_changed_under_it(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    decidable(page)

    page.evaluate(
        "document.dispatchEvent(new CustomEvent('htmx:afterSwap', { detail: {} }));"
        " document.querySelector('#reject').click()"
    )
    page.get_by_label("Reason").fill("x")
    assert state(backstage, walk) == "pending"

    decidable(page)
    page.locator("#reject").click()
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()


def test_letters_move_focus_and_never_decide(cast: Cast, visit: Visit, backstage: Backstage):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob)

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets/{walk.uid}/")
    decidable(page)
    page.keyboard.press("a")
    expect(page.locator("#approve")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator("#reject")).to_be_focused()
    assert state(backstage, walk) == "pending"

    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
    page.keyboard.press("u")
    page.wait_for_url("**/")
    page.keyboard.press("/")
    page.wait_for_url("**/history/#f-q")
    expect(page.locator("#f-q")).to_be_focused()


def test_letters_can_be_switched_off(cast: Cast, visit: Visit, backstage: Backstage):
    pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob)
    page.keyboard.press("?")
    page.get_by_label("Letter keys work on this device").uncheck()
    page.get_by_role("button", name="Close").click()

    page.reload()
    page.keyboard.press("j")

    expect(page.locator("#inbox .call a").first).not_to_be_focused()


def test_everything_can_be_decided_without_javascript(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a", text="line of text\n" * 1000)
    page = visit(cast.bob, types=True, java_script_enabled=False)

    page.get_by_role("link", name="delete_file on /srv/a").click()
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Reason").fill("by hand")
    page.get_by_role("button", name="Approve and run delete_file on /srv/a").click()

    expect(page.get_by_text("You approved ticket")).to_be_visible()
    assert state(backstage, walk) == "approved"


def test_a_page_without_its_doorbell_says_so_and_asks_again(
    cast: Cast, visit: Visit, backstage: Backstage
):
    page = visit(cast.bob)
    page.route_web_socket("**/ws/doorbell/*", lambda socket: socket.close())
    page.clock.install()
    page.reload()
    expect(page.locator("#offline")).to_be_hidden()

    page.clock.run_for(6_000)
    still_works = page.locator("#offline").get_by_text("Deciding still works")
    expect(still_works).to_be_visible()

    pending(backstage, cast, path="/srv/polled")
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="delete_file on /srv/polled")).to_be_visible()

    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(11_000)
    expect(page.locator("#offline").get_by_text("Nothing answers")).to_be_visible()
    expect(still_works).to_be_hidden()
    page.unroute("**/*")
    page.clock.run_for(11_000)
    expect(still_works).to_be_visible()


def test_what_was_put_away_comes_back_while_the_list_is_open(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    backstage(snooze, uid=walk.uid, user=cast.bob, choice=Choice.QUARTER)
    page = visit(cast.bob)
    page.clock.install()
    page.reload()
    expect(page.get_by_role("heading", name="Put away by you")).to_be_visible()
    pending(backstage, cast, path="/srv/b")
    expect(page).to_have_title("(1) Inbox · Placet")  # its doorbell is heard, so nothing polls
    expect(page.get_by_role("link", name="delete_file on /srv/b")).to_be_visible()

    mine = Snooze.objects.filter(person=cast.bob.person_id)
    backstage(mine.update, until=timezone.now())
    page.clock.fast_forward("15:10")

    expect(page).to_have_title("(2) Inbox · Placet")
    expect(page.get_by_role("heading", name="Put away by you")).to_have_count(0)
    expect(page.get_by_role("link", name="delete_file on /srv/a")).to_be_visible()


def test_the_kill_switch_shows_on_open_pages_at_once(
    cast: Cast, visit: Visit, backstage: Backstage
):
    walk = pending(backstage, cast, path="/srv/a")
    page = visit(cast.bob, f"/tickets/{walk.uid}/")
    admin = visit(cast.dora, "/kill-switch/")
    decidable(admin)

    admin.get_by_role("button", name="Stop everything now").click()

    expect(admin.get_by_role("heading", name="Everything is stopped")).to_be_visible()
    expect(page.get_by_text("All stopped")).to_be_visible()
    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
