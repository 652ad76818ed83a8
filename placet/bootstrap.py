"""Getting into the installation's own virtual environment, with nothing but the standard library.

Must be read and run by Python 3.8, because a machine's default ``python3`` may be that old: it then
finds a newer Python that is installed, makes `.venv` with it, installs the locked requirements, and
continues there. Knows nothing of Django.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Dict, Iterator, List, Optional, Tuple

OLDEST = (3, 12)
# The locked wheels were tested on these; any other new enough version comes after them.
PREFERRED = ((3, 13), (3, 14), (3, 12))
LOCKS = {"up": "requirements.lock", "test": "requirements-test.lock"}
STAMP = "placet-requirements.json"
ENTERED = "PLACET_ENTERED_VENV"
PROBE = "import sys, ssl, sqlite3, venv; print('%d.%d' % sys.version_info[:2])"


class BootstrapRefused(Exception):
    """The virtual environment cannot be made; the message says what is missing."""


def enter(root: str, argv: List[str]) -> None:
    """Return only inside ``<root>/.venv``; else exec into it or end with a plain message."""
    venv = os.path.join(root, ".venv")
    command = argv[1] if len(argv) > 1 else ""
    try:
        if command in LOCKS:
            provision(root, venv, LOCKS[command])
        elif not os.access(_python_of(venv), os.X_OK):
            raise BootstrapRefused(
                "There is no .venv yet. `python3 manage.py up` makes it and starts Placet; "
                "`python3 manage.py test` makes it and runs the tests."
            )
    except BootstrapRefused as refusal:
        sys.exit("Placet: " + str(refusal))
    already = os.environ.pop(ENTERED, "") == venv
    if os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return
    if already:
        sys.exit(
            "Placet: %s does not lead into %s; remove .venv and start again."
            % (sys.executable, venv)
        )
    os.environ[ENTERED] = venv
    python = _python_of(venv)
    os.execv(python, [python, *argv])


def provision(root: str, venv: str, lock_name: str) -> None:
    """Make `venv` and install what `lock_name` names, unless its stamp says that this was done."""
    lock = os.path.join(root, lock_name)
    digest = _digest(lock)
    python = _python_of(venv)
    stamps = _read_stamps(venv)
    if os.access(python, os.X_OK) and stamps.get(lock_name) == digest:
        return
    uv = _working_uv()
    if not os.access(python, os.X_OK):
        found, version = find_python()
        _say("making .venv with Python %s (%s)" % (version, found))
        _run([found, "-m", "venv", "--clear", *(["--without-pip"] if uv else []), venv], VENV_HINT)
        stamps = {}
    _say(
        "installing the locked requirements with %s (once; this downloads)"
        % ("uv" if uv else "pip")
    )
    _run(_install_command(uv, python, lock), INSTALL_HINT)
    stamps[lock_name] = digest
    if lock_name == LOCKS["test"]:  # it holds everything that `up` needs
        stamps[LOCKS["up"]] = _digest(os.path.join(root, LOCKS["up"]))
    draft = os.path.join(venv, STAMP + ".%d" % os.getpid())
    with open(draft, "w") as file:
        json.dump(stamps, file)
    os.replace(draft, os.path.join(venv, STAMP))


VENV_HINT = "on Debian and Ubuntu, `apt install python3-venv` brings what is missing"
INSTALL_HINT = "is the package index reachable? pip and uv honour PIP_INDEX_URL and UV_INDEX_URL"


def find_python() -> Tuple[str, str]:
    """The best installed Python that is new enough, as (path, version)."""
    working: Dict[Tuple[int, int], str] = {}
    seen = set()
    for candidate in _candidates():
        real = os.path.realpath(candidate)
        if real in seen or not os.access(candidate, os.X_OK):
            continue
        if "shims" not in candidate:  # one shim file stands for many Pythons
            seen.add(real)
        version = _version_of(candidate)
        if version and version >= OLDEST and version not in working:
            working[version] = candidate
            if version == PREFERRED[0] or (candidate == sys.executable and version in PREFERRED):
                return candidate, "%d.%d" % version
    for version in (*PREFERRED, *sorted(working)):
        if version in working:
            return working[version], "%d.%d" % version
    raise BootstrapRefused(
        "this needs Python %d.%d or newer; none is on PATH, in pyenv, uv, asdf or mise, or in "
        "the usual folders (this is Python %d.%d). Install one, for instance with `apt install "
        "python3.13 python3.13-venv`, `brew install python@3.13`, `pyenv install 3.13` or "
        "`uv python install 3.13`, and run the same command again."
        % (*OLDEST, *sys.version_info[:2])
    )


def _candidates() -> Iterator[str]:
    """Paths where a Python may be, the running one first."""
    if sys.executable:
        yield sys.executable
    home = os.path.expanduser("~")
    names = ["python%d.%d" % version for version in PREFERRED] + ["python3", "python"]
    folders = [f for f in os.environ.get("PATH", os.defpath).split(os.pathsep) if f]
    for folder in [
        *folders,
        "/usr/local/bin",
        "/opt/homebrew/bin",
        os.path.join(home, ".local/bin"),
    ]:
        for name in names:
            yield os.path.join(folder, name)
        yield from sorted(glob.glob(os.path.join(glob.escape(folder), "python3.[1-9][0-9]")))
    pyenv = os.environ.get("PYENV_ROOT", os.path.join(home, ".pyenv"))
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR", os.path.join(home, ".local/share/uv/python"))
    for pattern in (
        os.path.join(pyenv, "versions/*/bin/python3"),
        os.path.join(uv, "*/bin/python3"),
        os.path.join(home, ".asdf/installs/python/*/bin/python3"),
        os.path.join(home, ".local/share/mise/installs/python/*/bin/python3"),
        "/Library/Frameworks/Python.framework/Versions/*/bin/python3",
        "/opt/python*/bin/python3",
    ):
        yield from sorted(glob.glob(pattern), reverse=True)


def _version_of(python: str) -> Optional[Tuple[int, int]]:
    """The version of `python`, or None where it does not run or lacks what Placet needs of it."""
    try:
        done = subprocess.run(
            [python, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20
        )
        major, minor = done.stdout.decode("ascii").strip().split(".")
        return (int(major), int(minor)) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _working_uv() -> Optional[str]:
    """A uv that really runs; a version manager's shim may be found and still fail."""
    uv = shutil.which("uv")
    if not uv:
        return None
    try:
        done = subprocess.run(
            [uv, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return uv if done.returncode == 0 and done.stdout.startswith(b"uv ") else None


def _install_command(uv: Optional[str], python: str, lock: str) -> List[str]:
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    return [*pip, "install", "--quiet", "--require-hashes", "--only-binary=:all:", "-r", lock]


def _run(command: List[str], hint: str) -> None:
    done = subprocess.run(command)
    if done.returncode != 0:
        raise BootstrapRefused("`%s` failed; %s." % (" ".join(command), hint))


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _python_of(venv: str) -> str:
    return os.path.join(venv, "bin", "python")


def _read_stamps(venv: str) -> Dict[str, str]:
    try:
        with open(os.path.join(venv, STAMP)) as file:
            stamps = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _say(text: str) -> None:
    print("Placet: " + text, file=sys.stderr, flush=True)
