"""The scratch repository: made once, and never touched by git again where a server may write."""

import subprocess
from pathlib import Path

import pytest

from placet.sample.repository import ensure_repository


def test_the_repository_has_one_commit_and_a_staged_change(tmp_path: Path) -> None:
    folder = ensure_repository(tmp_path / "repository")
    staged = subprocess.run(
        ["git", "diff", "--cached", "--name-only"],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    assert staged.stdout.split() == ["lighthouse.yaml"]


@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_what_a_server_left_in_place_of_the_repository_is_not_given_to_git(
    tmp_path: Path, kind: str
) -> None:
    folder, planted = tmp_path / "repository", tmp_path / "planted"
    folder.mkdir()
    if kind == "file":
        (planted / "hooks").mkdir(parents=True)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", str(planted)],
            check=True,
        )
        hook = planted / "hooks" / "pre-commit"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/escaped\n")
        hook.chmod(0o755)
        (folder / ".git").write_text(f"gitdir: {planted}\n")
        subprocess.run(
            ["git", "--git-dir", str(planted), "config", "core.bare", "false"],
            check=True,
        )
    else:
        (folder / ".git").symlink_to(planted)
    ensure_repository(folder)
    assert not (tmp_path / "escaped").exists()
    assert [path.name for path in folder.iterdir()] == [".git"]
