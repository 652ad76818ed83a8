"""Pages under every way of looking at them: judged by axe and by measure in one visit each.

Each third page here; FIT=all in the environment takes every one.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Backstage, Visit
from tests.browser.fitness import DESK, EVERY, PHONE, Inspector
from tests.browser.house import a_full_house
from tests.support.builders import Cast, a_policy, a_ticket


@pytest.mark.timeout(600)  # with FIT=all some fifty pages, each in seven ways
def test_pages_are_fit_for_everybody(cast: Cast, visit: Visit, backstage: Backstage):
    addresses = backstage(a_full_house, cast)
    assert isinstance(addresses, list)
    inspector = Inspector(visit(cast.bob, viewport=DESK, bypass_csp=True))

    for address in [*addresses, "/nothing-here/"][::EVERY]:
        inspector.look_at(address)
    inspector.page.context.clear_cookies()
    for address in ("/accounts/login/", "/accounts/password/reset/"):
        inspector.look_at(address)

    assert not inspector.problems, "\n".join(inspector.problems)


# No help by the browser's own anchor; and something above goes, as does what stands uppermost.
A_PLACE_TO_KEEP = """() => {
    document.documentElement.style.overflowAnchor = "none";
    document.querySelector("#ticket").insertAdjacentHTML("afterbegin", "<p>gone</p>");
    const decide = document.querySelector("#decide");
    decide.insertAdjacentHTML("afterbegin", '<p id="gone">gone</p>');
    const { top } = decide.firstElementChild.getBoundingClientRect();
    scrollBy({ top, behavior: "instant" });
    return decide.getBoundingClientRect().top;
}"""


def test_on_a_phone_the_decision_is_one_press_away(cast: Cast, visit: Visit, backstage: Backstage):
    backstage(a_policy, quorum=2)
    walk = a_ticket(cast)
    backstage(walk.pending)
    page = visit(cast.bob, f"/tickets/{walk.uid}/", viewport=PHONE, has_touch=True)

    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    page.locator("#raw > summary").click()
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("link", name="Go to decision").click()

    expect(page.get_by_role("button", name="Reject")).to_be_in_viewport()

    place = page.evaluate(A_PLACE_TO_KEEP)
    backstage(walk.approved_by, cast.carol)
    expect(page.get_by_role("heading", name="1 of 2 approvals")).to_be_visible()
    expect(page.locator("#raw")).to_have_attribute("open", "")
    expect(page.locator("#gone")).to_have_count(0)
    now = page.locator("#decide").evaluate("decide => decide.getBoundingClientRect().top")
    assert now == pytest.approx(place, abs=1)
