"""The bootstrap: an old Python finds a newer one, installs once, and says what is missing."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import bootstrap
from placet.bootstrap import BootstrapRefused
from tests.support.processes import ROOT

FAKE_DJANGO = """
def execute_from_command_line(argv):
    import sys
    print(sys.prefix, argv[1:])
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python: an empty PATH, an empty home, no running interpreter."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr(sys, "executable", "")
    kept = bootstrap._candidates

    def inside() -> list[str]:
        return [path for path in kept() if path.startswith(str(tmp_path))]

    monkeypatch.setattr(bootstrap, "_candidates", inside)
    return tmp_path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with nothing but the bootstrap, locks without a requirement, and a fake Django."""
    root = tmp_path / "checkout"
    (root / "placet").mkdir(parents=True)
    for name in ("manage.py", "placet/__init__.py", "placet/bootstrap.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "django" / "core").mkdir(parents=True)
    (root / "django" / "core" / "management.py").write_text(FAKE_DJANGO)
    (root / "requirements.lock").write_text("# nothing\n")
    (root / "requirements-test.lock").write_text("# nothing\n")
    return root


def manage(
    root: Path, *arguments: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != bootstrap.ENTERED}
    return subprocess.run(
        [python, "manage.py", *arguments],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("name", ["manage.py", "placet/__init__.py", "placet/bootstrap.py"])
def test_what_an_old_python_reads_is_old_python(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(), feature_version=(3, 8))
    imported = {
        alias.name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= set(sys.stdlib_module_names)


def test_the_newest_tested_python_is_taken(bare: Path) -> None:
    script(bare / "bin" / "python3", "echo 3.8")
    script(bare / "bin" / "python3.12", "echo 3.12")
    script(bare / "pyenv" / "versions" / "3.13.2" / "bin" / "python3", "echo 3.13")
    found, version = bootstrap.find_python()
    assert version == "3.13"
    assert found.startswith(str(bare / "pyenv"))


def test_the_running_python_is_taken_when_it_is_a_tested_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = script(bare / "mine" / "python3", "echo 3.12")
    script(bare / "bin" / "python3.13", "echo 3.13")
    monkeypatch.setattr(sys, "executable", str(running))
    assert bootstrap.find_python() == (str(running), "3.12")


def test_an_untested_newer_python_is_better_than_none(bare: Path) -> None:
    script(bare / "bin" / "python3.19", "echo 3.19")
    assert bootstrap.find_python()[1] == "3.19"


def test_a_shim_that_does_not_run_is_passed_over(bare: Path) -> None:
    script(bare / "bin" / "python3.13", "echo 'command not found' >&2; exit 127")
    script(bare / "uv" / "cpython-3.12" / "bin" / "python3", "echo 3.12")
    assert bootstrap.find_python()[1] == "3.12"


def test_without_a_new_enough_python_it_says_what_to_install(bare: Path) -> None:
    script(bare / "bin" / "python3", "echo 3.11")
    with pytest.raises(BootstrapRefused, match=r"needs Python 3\.12 or newer") as refused:
        bootstrap.find_python()
    assert "apt install python3.13" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "works"),
    [("echo 'uv 0.9.1'", True), ("echo 'pyenv: uv: command not found' >&2; exit 127", False)],
)
def test_uv_is_used_only_where_it_runs(bare: Path, text: str, works: bool) -> None:
    uv = script(bare / "bin" / "uv", text)
    assert bootstrap._working_uv() == (str(uv) if works else None)


def test_requirements_are_installed_with_hashes_by_either_tool() -> None:
    for uv in ("/bin/uv", None):
        command = bootstrap._install_command(uv, "/venv/bin/python", "requirements.lock")
        assert "--require-hashes" in command
        assert command[-2:] == ["-r", "requirements.lock"]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run; a venv appears as if it had been."""
    ran: list[list[str]] = []

    def run(command: list[str], hint: str) -> None:
        ran.append(command)
        if "venv" in command:
            script(Path(command[-1]) / "bin" / "python", "exit 0")

    monkeypatch.setattr(bootstrap, "_run", run)
    return ran


def test_a_second_start_installs_nothing_until_the_lock_changes(
    project: Path, commands: list[list[str]]
) -> None:
    venv = str(project / ".venv")
    bootstrap.provision(str(project), venv, "requirements.lock")
    assert len(commands) == 2
    bootstrap.provision(str(project), venv, "requirements.lock")
    assert len(commands) == 2
    bootstrap.provision(str(project), venv, "requirements-test.lock")
    assert len(commands) == 3
    assert set(json.loads((project / ".venv" / bootstrap.STAMP).read_text())) == {
        "requirements.lock",
        "requirements-test.lock",
    }
    (project / "requirements.lock").write_text("# changed\n")
    bootstrap.provision(str(project), venv, "requirements.lock")
    assert len(commands) == 4


def test_what_the_tests_need_is_enough_to_start(project: Path, commands: list[list[str]]) -> None:
    bootstrap.provision(str(project), str(project / ".venv"), "requirements-test.lock")
    bootstrap.provision(str(project), str(project / ".venv"), "requirements.lock")
    assert len(commands) == 2


def test_the_locks_agree_and_name_no_address() -> None:
    pinned = {}
    for name in ("requirements.lock", "requirements-test.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > 100
        pinned[name] = set(re.findall(r"^[a-z0-9._-]+==\S+", text, re.MULTILINE))
    assert pinned["requirements.lock"] < pinned["requirements-test.lock"]


def test_a_failed_installation_leaves_no_stamp(
    project: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: Callable[[list[str], str], None] = bootstrap._run

    def fail(command: list[str], hint: str) -> None:
        kept(command, hint)
        if "install" in command:
            raise BootstrapRefused("no network")

    monkeypatch.setattr(bootstrap, "_run", fail)
    with pytest.raises(BootstrapRefused):
        bootstrap.provision(str(project), str(project / ".venv"), "requirements.lock")
    assert not (project / ".venv" / bootstrap.STAMP).exists()


def test_another_command_before_the_first_start_is_told_what_to_do(project: Path) -> None:
    done = manage(project, "check")
    assert done.returncode == 1
    assert "There is no .venv yet. `python3 manage.py up` makes it" in done.stderr


def test_up_makes_the_environment_and_continues_inside_it(project: Path) -> None:
    done = manage(project, "up", "--flag")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{project / '.venv'} ['up', '--flag']\n"
    assert "making .venv with Python 3." in done.stderr
    again = manage(project, "up")
    assert again.stdout == f"{project / '.venv'} ['up']\n"
    assert again.stderr == ""
    other = manage(project, "check")
    assert other.stdout == f"{project / '.venv'} ['check']\n"


def old_pythons() -> list[str]:
    """An interpreter of this machine that is too old for Placet but reads its bootstrap."""
    places = [Path.home() / ".pyenv" / "versions", Path("/usr"), Path("/usr/local")]
    found = [p for place in places for p in (*place.glob("3.*/bin/python3"), place / "bin/python3")]
    for path in found:
        version = bootstrap._version_of(str(path)) if path.exists() else None
        if version and (3, 8) <= version < bootstrap.OLDEST:
            return [str(path)]
    return []


def test_an_older_default_python_finds_a_newer_one(project: Path) -> None:
    """Where the machine has no older Python, the syntax check above stands for it."""
    for python in old_pythons():
        shutil.rmtree(project / ".venv", ignore_errors=True)
        done = manage(project, "up", python=python)
        assert done.returncode == 0, done.stderr
        made = re.search(r"making \.venv with Python (3\.\d+)", done.stderr)
        assert made is not None
        assert int(made[1].split(".")[1]) >= 12
