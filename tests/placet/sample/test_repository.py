"""The scratch repository: made once, and never touched by git again where a server may write."""

import subprocess
from pathlib import Path

import pytest

from placet.sample.repository import ensure_repository, miles, reach_farther


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


def test_a_further_change_moves_the_light_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    folder = ensure_repository(tmp_path / "repository")
    (folder / "lighthouse.yaml").write_text("lamp: off\nrange_miles: 40\nkeeper: Ida\n", "utf-8")
    reach_farther(folder)
    assert miles(folder) == 49
    text = (folder / "lighthouse.yaml").read_text("utf-8")
    assert text == "lamp: off\nrange_miles: 49\nkeeper: Ida\n"


@pytest.mark.parametrize("left", ["nothing", "no distance"])
def test_a_broken_file_can_be_changed_all_the_same(tmp_path: Path, left: str) -> None:
    folder = ensure_repository(tmp_path / "repository")
    (folder / "lighthouse.yaml").unlink()
    if left != "nothing":
        (folder / "lighthouse.yaml").write_text("lamp: broken\n", "utf-8")
    reach_farther(folder)
    assert miles(folder) == 21


def test_nothing_is_read_or_written_through_a_link(tmp_path: Path) -> None:
    folder = ensure_repository(tmp_path / "repository")
    private = tmp_path / "private"
    private.write_text("range_miles: 77\n", "utf-8")
    (folder / "lighthouse.yaml").unlink()
    (folder / "lighthouse.yaml").symlink_to(private)
    (folder / ".lighthouse.yaml.partial").symlink_to(private)
    assert miles(folder) != 77
    reach_farther(folder)
    assert private.read_text("utf-8") == "range_miles: 77\n"
    assert not (folder / "lighthouse.yaml").is_symlink()
