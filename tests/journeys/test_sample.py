"""A newcomer's first two minutes: `up`, the sample agent's ticket, a decision in the browser."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.chromium import FLAGS, find_chromium
from tests.support.installation import EMAIL, PASSWORD, Up, greeted, survivors, up
from tests.support.processes import Running
from tests.support.waiting import eventually

__all__ = ["up"]  # the fixture of this module

pytestmark = pytest.mark.timeout(300)

WITH_SAMPLE = {
    "PLACET_SAMPLE": "1",
    "PLACET_ADMIN_EMAIL": EMAIL,
    "PLACET_ADMIN_PASSWORD": PASSWORD,
}
LIGHT = "Let the light reach 21 miles"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_chromium()), args=list(FLAGS), timeout=60_000
        )
        yield browser
        browser.close()


def waits_for_approval(running: Running) -> str:
    """Wait for the greeting and for the sample agent's ticket; returns the address."""
    url = greeted(running)
    running.says("waiting for approval by Sample reviewers", within=90)
    return url


def opens_the_ticket(browser: Browser, url: str) -> Page:
    page = browser.new_context(base_url=url).new_page()
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="git_commit").click()
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


def test_approving_commits_and_a_second_start_keeps_everything(
    up: Up, browser: Browser, tmp_path: Path
) -> None:
    running = up(**WITH_SAMPLE)
    page = opens_the_ticket(browser, waits_for_approval(running))
    assert "Message: Light the lamp" in running.output()
    assert commits(tmp_path / "var") == ["Light the lamp"]

    page.get_by_role("button", name="Approve and run git_commit").click()
    running.says("sample-agent received: Changes committed successfully", within=30)
    assert commits(tmp_path / "var") == [LIGHT, "Light the lamp"]
    expect(page.get_by_role("heading", name="Approved and run")).to_be_visible()

    tree = running.tree()
    running.signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    assert survivors(tree) == []

    again = up(**WITH_SAMPLE)
    url = greeted(again)
    again.says("sample-agent has its answer already", within=60)
    page = browser.new_context(base_url=url).new_page()
    page.goto("/history/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="git_commit")).to_be_visible()
    assert commits(tmp_path / "var") == [LIGHT, "Light the lamp"]


def test_rejecting_leaves_the_log_alone_and_tells_the_agent_why(
    up: Up, browser: Browser, tmp_path: Path
) -> None:
    running = up(**WITH_SAMPLE)
    page = opens_the_ticket(browser, waits_for_approval(running))

    page.get_by_label("Reason").fill("12 miles are enough")
    page.get_by_role("button", name="Reject").click()
    output = running.says("sample-agent was told:", within=30)

    running.says("12 miles are enough")
    assert "Changes committed" not in output
    assert commits(tmp_path / "var") == ["Light the lamp"]
    outcome = tmp_path / "var" / "sample" / "outcome.json"
    eventually(outcome.exists, within=10, why="the answer is remembered")
    told = json.loads(outcome.read_text("utf-8"))
    assert told["is_error"] is True
    assert "12 miles are enough" in told["told"]
