"""`manage.py up`, as a person starts it: greeting, sign-in, Ctrl-C, kill -9, second start."""

import http.cookiejar
import json
import re
import signal
import socket
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import redis

from placet.env import read_environment
from tests.support.installation import EMAIL, PASSWORD, Up, greeted, survivors, up
from tests.support.waiting import eventually

__all__ = ["up"]  # the fixture of this module

pytestmark = pytest.mark.timeout(180)

PROGRAMS = {"valkey", "daphne", "celery", "run_stdio_host"}


def ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
        return bool(json.load(answer)["status"] == "ready")


def signs_in(url: str, email: str, password: str) -> bool:
    """Whether the sign-in form lets this person through to the inbox."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    login = f"{url}/accounts/login/"
    page = browser.open(login, timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None, page[:500]
    form = {"csrfmiddlewaretoken": token[1], "login": email, "password": password}
    request = urllib.request.Request(
        login, urllib.parse.urlencode(form).encode(), headers={"Origin": url, "Referer": login}
    )
    return urllib.parse.urlsplit(browser.open(request, timeout=20).url).path == "/"


def test_two_starts_share_their_data_and_leave_nothing_by_ctrl_c_or_kill_9(
    up: Up, tmp_path: Path
) -> None:
    first = up(PLACET_ADMIN_EMAIL=EMAIL, PLACET_ADMIN_PASSWORD=PASSWORD)
    url = greeted(first)
    assert f"Sign in as  {EMAIL}" in first.output()
    assert PASSWORD not in first.output()
    eventually(lambda: ready(url), within=60, why="ready with broker and worker")
    assert signs_in(url, EMAIL, PASSWORD)
    assert not signs_in(url, EMAIL, "wrong")
    tree = first.tree()
    commands = " ".join(" ".join(process.cmdline()) for process in tree)
    assert all(name in commands for name in PROGRAMS), commands
    for process in tree[1:]:
        assert PASSWORD not in process.environ().values(), process.cmdline()
    found = read_environment({"PLACET_DATA_DIR": str(tmp_path / "var")}, root=tmp_path)
    secret = found.keys.broker_password
    logs = [path.read_text(errors="replace") for path in (tmp_path / "var" / "logs").iterdir()]
    assert not any(secret in text for text in (commands, first.output(), *logs))
    stranger = redis.Redis(unix_socket_path=str(found.run_dir / "valkey.sock"))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    rival = up()
    assert rival.process.wait(60) == 1
    assert f"Placet already runs on {tmp_path / 'var'} (process {first.pid}, {url})" in (
        rival.output()
    )

    first.signal(signal.SIGINT)
    assert first.process.wait(30) == 0
    assert survivors(tree) == []
    assert "Placet: stopped." in first.output()
    assert "Traceback" not in first.output()

    second = up(PLACET_ADMIN_EMAIL=EMAIL)
    url = greeted(second)
    assert "yours; lost?" in second.output()
    assert signs_in(url, EMAIL, PASSWORD)
    tree = second.tree()
    assert len(tree) >= len(PROGRAMS) + 2  # itself, and celery's other half
    second.kill()
    eventually(lambda: not survivors(tree), why="every program gone")


def test_a_port_in_use_is_named(up: Up) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = up(PLACET_PORT=str(port))
        assert running.process.wait(60) == 1
    assert f"Port {port} cannot be used (Address already in use)" in running.output()
    assert "Traceback" not in running.output()


def test_a_weak_first_password_is_refused_before_anything_runs(up: Up) -> None:
    running = up(PLACET_ADMIN_PASSWORD="12345")
    assert running.process.wait(60) == 1
    assert "PLACET_ADMIN_PASSWORD is refused: This password is too short" in running.output()
    assert "12345" not in running.output()
    assert "Traceback" not in running.output()


def test_a_bad_environment_is_refused_in_words(up: Up) -> None:
    running = up(PLACET_PORT="http")
    assert running.process.wait(60) == 1
    assert "PLACET_PORT is 'http'; expected a whole number" in running.output()
    assert "Traceback" not in running.output()
