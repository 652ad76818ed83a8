"""A real Chromium before a real installation, and a way to act behind the scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django import Settings

from approvals.models import User
from tests.support.builders import Cast, a_cast
from tests.support.chromium import FLAGS, find_chromium
from tests.support.live import LivePlacet
from tests.support.valkey import ValkeyServer

type Backstage = Callable[..., object]
type Visit = Callable[..., Page]


@pytest.fixture
def placet(live_placet: LivePlacet, valkey_server: ValkeyServer, settings: Settings) -> LivePlacet:
    """A web process; what the test does itself rings the same doorbells."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": valkey_server.url}], "prefix": "placet"},
        }
    }
    settings.APPROVALS_PORTS = {}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    return live_placet.start(worker=False)


@pytest.fixture
def backstage() -> Iterator[Backstage]:
    """Calls a function in a thread of its own: Playwright's event loop keeps Django out of ours."""
    with ThreadPoolExecutor(max_workers=1) as pool:

        def call(function: Callable[..., object], *args: object, **named: object) -> object:
            def run() -> object:
                try:
                    return function(*args, **named)
                finally:
                    connections.close_all()

            return pool.submit(run).result(timeout=60)

        yield call


@pytest.fixture
def cast(placet: LivePlacet, backstage: Backstage) -> Cast:
    made = backstage(a_cast)
    assert isinstance(made, Cast)
    return made


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_chromium()), args=list(FLAGS), timeout=60_000
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, placet: LivePlacet) -> Iterator[Visit]:
    """Sign somebody in, in a browser of their own; fails on any error that a page reports."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def visit(user: User, address: str = "/", **options: object) -> Page:
        context = browser.new_context(base_url=placet.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(address)
        page.get_by_label("E-mail").fill(user.email)
        page.get_by_label("Password").fill(f"{user.email.split('@')[0]}-long-password")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{address}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not problems
