"""The scratch git repository that the sample's MCP server works on."""

import os
import subprocess
from pathlib import Path

_README = "# Lighthouse\n\nA scratch repository. Break it as you like.\n"
_FIRST = "lamp: on\nrange_miles: 12\n"
_CHANGED = "lamp: on\nrange_miles: 21\n"


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
    (folder / "lighthouse.yaml").write_text(_FIRST, encoding="utf-8")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "Light the lamp")
    (folder / "lighthouse.yaml").write_text(_CHANGED, encoding="utf-8")
    _git(folder, "add", ".")
    return folder


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
