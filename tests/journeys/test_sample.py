"""A newcomer's first two minutes: `up`, the sample agent's ticket, a decision in the browser."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from placet.up import programs
from tests.support.chromium import FLAGS, find_chromium
from tests.support.installation import Up, greeted, survivors, up
from tests.support.processes import Running
from tests.support.waiting import eventually

__all__ = ["up"]  # the fixture of this module

pytestmark = pytest.mark.timeout(300)

ADMIN = "admin@placet.localhost"
WITH_SAMPLE = {"PLACET_SAMPLE": "1"}
LIGHT = "Let the light reach 21 miles"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_chromium()), args=list(FLAGS), timeout=60_000
        )
        expect.set_options(timeout=20_000)
        yield browser
        browser.close()


def waits_for_approval(running: Running) -> str:
    """Wait for the greeting and for the sample agent's ticket; returns the address."""
    url = greeted(running)
    running.says("waiting for approval by Sample reviewers", within=90)
    return url


def password_shown(running: Running) -> str:
    found = re.search(r"Password    (\S{16})  \(made now and shown once", running.output())
    assert found is not None, running.output()
    return found[1]


def opens_the_ticket(browser: Browser, url: str, password: str) -> Page:
    page = browser.new_context(base_url=url).new_page()
    page.goto("/")
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="git_commit").first.click()  # the one that waits
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    page.wait_for_timeout(450)  # verbs are inert for a moment after the page appears
    return page


def commits(data: Path) -> list[str]:
    log = subprocess.run(
        ["git", "-C", str(data / "sample" / "repository"), "log", "--format=%s"],
        check=True,
        capture_output=True,
        text=True,
    )
    return log.stdout.splitlines()


def test_the_sample_is_rejected_asks_again_is_approved_and_leaves_nothing_running(
    up: Up, browser: Browser, tmp_path: Path
) -> None:
    running = up(**WITH_SAMPLE)
    url = waits_for_approval(running)
    password = password_shown(running)
    page = opens_the_ticket(browser, url, password)
    assert "Message: Light the lamp" in running.output()
    page.get_by_label("Reason").fill("12 miles are enough")
    page.get_by_role("button", name="Reject").click()
    output = running.says("sample-agent was told:", within=30)
    running.says("12 miles are enough")
    assert "Changes committed" not in output
    assert commits(tmp_path / "var") == ["Light the lamp"]
    outcome = tmp_path / "var" / "sample" / "outcome.json"
    eventually(outcome.exists, why="the answer is remembered")
    told = json.loads(outcome.read_text("utf-8"))
    assert told["is_error"] is True
    assert "12 miles are enough" in told["told"]

    here = {**WITH_SAMPLE, "PLACET_PORT": url.rpartition(":")[2]}
    agent = programs.sample_agent()
    content = up.program(agent, **here)
    content.says("has its answer already", within=60)
    again = up.program(replace(agent, argv=(*agent.argv, "--again")), **here)
    again.says("Waiting for a person", within=60)
    page = opens_the_ticket(browser, url, password)
    page.get_by_role("button", name="Approve and run git_commit").click()
    again.says("sample-agent received: Changes committed successfully", within=30)
    assert commits(tmp_path / "var") == [LIGHT, "Light the lamp"]
    expect(page.get_by_role("heading", name="Approved and run")).to_be_visible()
    page.goto("/history/")
    expect(page.get_by_role("link", name="git_commit")).to_have_count(2)

    tree = running.tree()
    running.signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    assert survivors(tree) == []
