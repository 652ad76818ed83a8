"""The browser of the browser tests: the system's, else Playwright's own, else Debian's package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.processes import Running
from tests.support.waiting import eventually

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
UNSEEN = (
    "SpareRendererForSitePerProcess",
    "InitialWebUI",
    "WebUIReloadButton",
    "WebUIToolbar",
    "WebUIOmniboxPopup",
    "GlanceMediaUI",
    "PaintHolding",
    "Translate",
    "OptimizationHints",
    "MediaRouter",
    "DialMediaRouteProvider",
)
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Processes for the browser's own pages, and one in reserve, take as much as the tested pages.
    "--disable-gpu",
    "--renderer-process-limit=1",
    "--disable-features=" + ",".join(UNSEEN),
)


ASK_PLAYWRIGHT = (
    "from playwright.sync_api import sync_playwright as s\n"
    "with s() as p: print(p.chromium.executable_path)"
)


class ChromiumServer:
    """One headless Chromium that many tests use in turn, each in windows of its own."""

    def __init__(self, folder: Path) -> None:
        profile = folder / "profile"
        command = [
            str(find_chromium()), *FLAGS, "--headless", "--hide-scrollbars",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self.running = Running(command, log=folder / "chromium.log", cwd=folder)
        told = profile / "DevToolsActivePort"
        eventually(
            lambda: told.exists() and told.read_text().count("\n") > 0,
            within=60,
            why="Chromium opens its port",
        )
        self.url = f"http://127.0.0.1:{told.read_text().splitlines()[0]}"

    def stop(self) -> None:
        """End it with all its processes."""
        self.running.stop()


class ChromiumMissing(Exception):
    """No browser, and none could be installed; the message has the exact command."""


def find_chromium() -> Path:
    """The browser's path; installs one where that is possible. Raises ChromiumMissing."""
    given = os.environ.get("PLACET_TEST_CHROMIUM", "")
    if given and os.access(given, os.X_OK):
        return Path(given)
    return _on_system() or _playwrights_own() or _download() or _from_debian() or _refuse()


def _on_system() -> Path | None:
    for name in NAMES:
        found = shutil.which(name)
        if found and _works(Path(found)):
            return Path(found)
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    return mac if mac.exists() else None


def _works(browser: Path) -> bool:
    try:
        done = subprocess.run([browser, "--version"], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _playwrights_own() -> Path | None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            ASK_PLAYWRIGHT,
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    path = Path(said.stdout.strip() or "/nonexistent")
    return path if path.is_file() and _works(path) else None


def _download() -> Path | None:
    print("No Chromium found; trying Playwright's own download.", flush=True)
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        done = subprocess.run(command, check=False, timeout=600)
    except subprocess.TimeoutExpired:
        return None
    return _playwrights_own() if done.returncode == 0 else None


def _from_debian() -> Path | None:
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return None
    print("Installing Debian's chromium with apt-get, as root.", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=False, env=env)
    subprocess.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"],
        check=False,
        env=env,
    )
    return _on_system()


def _refuse() -> Path:
    raise ChromiumMissing(
        "the browser tests need Chromium. Run one of\n"
        "    sudo apt-get install -y chromium\n"
        f"    {sys.executable} -m playwright install --with-deps chromium\n"
        "or name a browser in PLACET_TEST_CHROMIUM, and run the same command again."
    )
