"""A real Chromium before a real installation, and a way to act behind the scenes.

Starting both takes longer than most tests, so each test brings people of its own instead: a team,
a group and tickets that nobody else sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker, Settings

from approvals.models import User
from approvals.services import gate
from tests.support import rings
from tests.support.builders import Cast, a_cast, a_policy
from tests.support.chromium import ChromiumServer
from tests.support.databases import RealDatabase, copied, used
from tests.support.live import LivePlacet
from tests.support.valkey import ValkeyServer

type Backstage = Callable[..., object]
type Visit = Callable[..., Page]

PATIENCE_MS = 20_000  # what must come has this long, on a machine that may stand still meanwhile
SERVED = "django.contrib.auth.hashers.ScryptPasswordHasher"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the tests share."""

    placet: LivePlacet
    database: RealDatabase
    broker: ValkeyServer
    chromium: ChromiumServer
    casts: Iterator[int] = field(default_factory=lambda: count(1))


@pytest.fixture(scope="session")
def stage(
    database_template: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """An installation and a browser that all tests of this run use in turn."""
    folder = tmp_path_factory.mktemp("stage")
    broker = ValkeyServer()
    with ExitStack() as parts:
        parts.callback(broker.remove)
        broker.start()
        with django_db_blocker.unblock():
            database = parts.enter_context(copied(folder, database_template))
        placet = LivePlacet(database=database, broker=broker, folder=folder)
        parts.callback(placet.stop)
        chromium = ChromiumServer(folder)
        parts.callback(chromium.stop)
        placet.start(worker=False)
        yield Stage(placet=placet, database=database, broker=broker, chromium=chromium)


@pytest.fixture
def placet(
    stage: Stage, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> Iterator[LivePlacet]:
    """The installation; what the test does itself rings the same doorbells."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": stage.broker.url}], "prefix": "placet"},
        }
    }
    settings.APPROVALS_PORTS = {"read_json": rings.PORTS["read_json"]}
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, SERVED]
    with django_db_blocker.unblock(), used(stage.database):
        yield stage.placet


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
def cast(placet: LivePlacet, stage: Stage, backstage: Backstage) -> Cast:
    """People of this test alone, under a policy that asks one of them, with nothing stopped."""
    tag = f"-{next(stage.casts)}"

    def make() -> Cast:
        cast = a_cast(tag)
        if gate.gate().killed:
            gate.unkill(user=cast.dora)
        a_policy()
        return cast

    made = backstage(make)
    assert isinstance(made, Cast)
    return made


@pytest.fixture(scope="module")
def browser(stage: Stage) -> Iterator[Browser]:
    """Chromium, by one driver for all tests of a file, whose event loop the thread then has."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.connect_over_cdp(stage.chromium.url, timeout=60_000)
        yield browser
        browser.close()


def password_of(user: User) -> str:
    """What somebody of a cast types to sign in."""
    return f"{user.email.split('@')[0]}-long-password"


def may_type(user: User) -> None:
    """Have their password stored as the installation stores it, which takes a third of a second."""
    user.password = make_password(password_of(user), hasher="scrypt")
    user.save()


@pytest.fixture
def visit(browser: Browser, placet: LivePlacet, backstage: Backstage) -> Iterator[Visit]:
    """Somebody signed in, in a browser of their own; fails on any error that a page reports.

    Who `types` signs in by the form; the others bring the session that the form would give them.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def session_of(user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def visit(user: User, address: str = "/", *, types: bool = False, **options: object) -> Page:
        context = browser.new_context(base_url=placet.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        if types:
            backstage(may_type, user)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(said.text) if "Content Security" in said.text else None,
        )
        if not types:
            key = str(backstage(session_of, user))
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": placet.url}]
            )
        page.goto(address)
        if types:
            page.get_by_label("E-mail").fill(user.email)
            page.get_by_label("Password").fill(password_of(user))
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(f"**{address}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not problems
