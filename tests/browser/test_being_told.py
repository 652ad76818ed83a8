"""A real browser is told by its service worker while no page is open, and only after a click."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.builders import Cast

REGISTER = """async () => {
  await navigator.serviceWorker.register(document.querySelector('#here').dataset.worker);
  return (await navigator.serviceWorker.ready).scope;
}"""
SHOWN = """async () => {
  const worker = await navigator.serviceWorker.ready;
  for (let looks = 0; looks < 100; looks++) {
    const [shown] = await worker.getNotifications();
    if (shown) return {title: shown.title, body: shown.body, tag: shown.tag, path: shown.data.path};
    await new Promise((done) => setTimeout(done, 50));
  }
  return null;
}"""


def test_the_service_worker_shows_what_was_pushed_and_the_page_asks_first(cast: Cast, visit: Visit):
    page = visit(cast.bob, "/notifications/", permissions=["notifications"])
    expect(page.get_by_role("button", name="Tell me here")).to_be_visible()
    toggle = page.get_by_role("button", name="Only while a page is open")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")

    devtools = page.context.new_cdp_session(page)
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(r["registrationId"] for r in event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    scope = page.evaluate(REGISTER)
    assert scope.endswith("/")
    message = {"title": "Placet", "body": "Call #7 waits", "tag": "t", "path": "/calls/7/"}
    devtools.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": scope.rstrip("/"), "registrationId": found[-1], "data": json.dumps(message)},
    )

    assert page.evaluate(SHOWN) == message
