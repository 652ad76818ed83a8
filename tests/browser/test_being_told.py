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
# The worker's own handler, with the one call replaced that would need a desktop.
PUSHED = """async (text) => {
  const shown = [];
  self.registration.showNotification = async (title, {body, tag, data}) => {
    shown.push({title, body, tag, path: data.path});
  };
  self.dispatchEvent(new PushEvent('push', {data: text}));
  self.dispatchEvent(new PushEvent('push', {data: 'no JSON'}));
  return shown;
}"""


def test_the_service_worker_shows_what_was_pushed_and_the_page_asks_first(cast: Cast, visit: Visit):
    page = visit(cast.bob, "/notifications/", permissions=["notifications"])
    expect(page.get_by_role("button", name="Tell me here")).to_be_visible()
    toggle = page.get_by_role("button", name="Only while a page is open")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")

    assert page.evaluate(REGISTER) == page.url.removesuffix("notifications/")
    (worker,) = page.context.service_workers
    message = {"title": "Placet", "body": "Call #7 waits", "tag": "t", "path": "/calls/7/"}
    shown, bare = worker.evaluate(PUSHED, json.dumps(message))

    assert shown == message
    assert bare["title"] == "Placet"
