"""The scratch git repository that the sample's MCP server works on."""

import os
import re
import stat
import subprocess
from pathlib import Path

LIGHTHOUSE = "lighthouse.yaml"
_README = "# Lighthouse\n\nA scratch repository. Break it as you like.\n"
_FIRST = "lamp: on\nrange_miles: 12\n"
_FIRST_MILES = 12
_MILES = re.compile(r"^range_miles: (\d{1,9})$", re.MULTILINE)
_FARTHER = 9  # miles with each change
_MOST_BYTES = 64 * 1024


class GitMissing(Exception):
    """The sample needs the `git` command; install git or start with PLACET_SAMPLE=0."""


def ensure_repository(folder: Path) -> Path:
    """Create the repository with one commit and one staged change, unless it exists.

    Returns the folder. Raises `GitMissing` when there is no git on this machine.
    """
    # Whatever stands there was in the server's hands. A `.git` that is a file would lead git, which
    # runs unconfined here, to configuration and hooks that the server wrote.
    if os.path.lexists(folder / ".git"):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "config", "user.name", "Sample agent")
    _git(folder, "config", "user.email", "sample-agent@placet.invalid")
    _git(folder, "config", "commit.gpgsign", "false")
    (folder / "README.md").write_text(_README, encoding="utf-8")
    (folder / LIGHTHOUSE).write_text(_FIRST, encoding="utf-8")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "Light the lamp")
    reach_farther(folder)
    _git(folder, "add", ".")
    return folder


def miles(folder: Path) -> int:
    """How far the light reaches by the file as it lies there."""
    found = _MILES.search(_read(folder / LIGHTHOUSE))
    return int(found[1]) if found else _FIRST_MILES


def reach_farther(folder: Path) -> None:
    """Change the file, for a further commit. Runs no git: the repository is its server's by now."""
    text = _read(folder / LIGHTHOUSE)
    line = f"range_miles: {miles(folder) + _FARTHER}"
    changed = _MILES.sub(line, text) if _MILES.search(text) else f"{text.rstrip()}\n{line}\n"
    partial = folder / f".{LIGHTHOUSE}.partial"
    partial.unlink(missing_ok=True)
    with partial.open("x", encoding="utf-8") as file:
        file.write(changed)
    partial.replace(folder / LIGHTHOUSE)


def _read(path: Path) -> str:
    """A regular file's text and nothing through a link, which the server might have put there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return _FIRST
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return _FIRST
        return file.read(_MOST_BYTES).decode("utf-8", errors="replace")


def _git(folder: Path, *arguments: str) -> None:
    isolated = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    try:
        subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=isolated,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError as missing:
        raise GitMissing(GitMissing.__doc__) from missing
