"""Finding out which sandbox this machine really has, by using it once."""

from __future__ import annotations

import functools
import logging
import subprocess
import tempfile

from django.utils.translation import gettext_noop

from mcpbridge.upstream.sandbox.launch import Kind, SandboxUnusable, plan
from mcpbridge.upstream.sandbox.shim import landlock_abi
from mcpbridge.upstream.spec import UpstreamSpec

log = logging.getLogger(__name__)

PROBE_SECONDS = 20.0
NEWEST_NEEDED = 6
"""The version of Landlock from which on it keeps all that it is used for here."""


def works(kind: Kind) -> bool:
    """Run `true` in the sandbox and say whether that succeeded."""
    spec = UpstreamSpec(id="probe", name="probe", transport="stdio", command=("true",))
    with (
        tempfile.TemporaryDirectory(prefix="placet-probe-") as scratch,
        tempfile.TemporaryDirectory(prefix="placet-probe-") as hidden,
    ):
        try:
            launch = plan(spec, kind=kind, scratch=scratch, data_folder=hidden)
            done = subprocess.run(
                launch.arguments,
                env=launch.environment,
                cwd=launch.cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except (SandboxUnusable, OSError, subprocess.TimeoutExpired) as error:
            log.info("the sandbox %s is not usable here: %s", kind, error)
            return False
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[:300]
        log.info("the sandbox %s is not usable here: %s", kind, said)
    return done.returncode == 0


@functools.cache
def best_kind() -> Kind:
    """Return the strongest sandbox that works here; blocking, asked once per process."""
    kinds: tuple[Kind, ...] = ("bubblewrap", "landlock")
    for kind in kinds:
        if works(kind):
            return kind
    log.warning("neither bubblewrap nor Landlock works here: stdio servers run only if accepted")
    return "unsandboxed"


def label(kind: Kind) -> str:
    """Return what an admin reads: an older Landlock is named with its version (see `gaps`)."""
    if kind != "landlock" or (version := landlock_abi()) >= NEWEST_NEEDED:
        return kind
    return f"landlock {version}"


def gaps(label: str) -> tuple[str, ...]:
    """Return what a sandbox of this label leaves open, in words for an admin."""
    kind, _, version = label.partition(" ")
    if kind != "landlock":
        return ()
    found = [gettext_noop("its memory is limited for each process, not in all")]
    older = int(version) if version.isdigit() else NEWEST_NEEDED
    if older < 6:
        found.append(gettext_noop("it can signal other processes of Placet's own account"))
    if older < 3:
        found.append(gettext_noop("it can cut off files that it may only read"))
    return tuple(found)
