"""Turning an upstream's command and profile into what is really executed.

Builds argument lists and environments; starts nothing. What a server can see is a list of what it
may see, never a list of what is hidden, except that Placet's own data folder is hidden even where
a configured path would show it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mcpbridge.upstream.sandbox.sockets import NoFilter, socket_filter
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec

Kind = Literal["bubblewrap", "landlock", "unsandboxed"]

SHIM = Path(__file__).with_name("shim.py")
SHIM_INSIDE = "/placet-shim.py"
SCRATCH_INSIDE = "/tmp"  # noqa: S108  # a private, empty tmpfs inside the sandbox
SHARED_MEMORY_BYTES = 64 * 1024 * 1024
SCRATCH_BYTES = 256 * 1024 * 1024
MAX_LINKS = 40
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/mime.types",
)
PRIVATE_FOLDERS = ("keys", "run", "logs")
"""Of the data folder; files that lie directly in it (the database) are private as well."""
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/services", "/etc/protocols")


class SandboxUnusable(RuntimeError):
    """The profile cannot be turned into a sandbox."""


@dataclass(frozen=True)
class Launch:
    """What to execute. `environment` may hold secrets; the argument list never does."""

    kind: Kind
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    cwd: str


def interpreter() -> str:
    """Return the real Python that runs the shim, outside any virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def found_program(spec: UpstreamSpec) -> str:
    """Return the command's program as an absolute path where it can be found."""
    return shutil.which(spec.command[0]) or spec.command[0]


def needed_paths(spec: UpstreamSpec) -> list[str]:
    """Return what must be readable for the command to start at all."""
    paths = [*SYSTEM_FOLDERS, *SYSTEM_FILES]
    if spec.sandbox.network:
        paths += NETWORK_FILES
    paths.append(sys.base_prefix)
    program = found_program(spec)
    for _ in range(MAX_LINKS):
        paths.append(program)
        environment = Path(program).parent.parent
        if (environment / "pyvenv.cfg").is_file():
            paths.append(str(environment))
        if not Path(program).is_symlink():
            break
        program = os.path.normpath(Path(program).parent / Path(program).readlink())
    return [path for path in dict.fromkeys(paths) if Path(path).exists()]


def _outermost(paths: list[str]) -> list[str]:
    """Drop what a named folder shows anyway."""
    return [
        path
        for path in paths
        if not any(path != other and Path(path).is_relative_to(other) for other in paths)
    ]


def plan(spec: UpstreamSpec, *, kind: Kind, scratch: str, data_folder: str) -> Launch:
    """Return how to start the spec's command. `scratch` is an empty folder of its own.

    Raises SandboxUnusable where the profile contradicts itself or the machine.
    """
    profile = spec.sandbox
    if kind == "unsandboxed" and not profile.accept_unsandboxed:
        raise SandboxUnusable(
            f"upstream {spec.name!r}: this machine has neither bubblewrap nor Landlock, so nothing "
            "would keep its server from the network and from the files of Placet's own account; "
            "install bubblewrap, or accept that with sandbox.accept_unsandboxed"
        )
    for path in (*profile.read_paths, *profile.write_paths):
        if not Path(path).is_absolute() or not Path(path).exists():
            raise SandboxUnusable(
                f"upstream {spec.name!r}: the sandbox path {path!r} must be absolute and exist"
            )
        if _is_private(path, data_folder):
            raise SandboxUnusable(
                f"upstream {spec.name!r}: {path!r} holds keys, rows, sockets or logs of Placet, "
                "which no server may see; name a folder of its own"
            )
    inside = SCRATCH_INSIDE if kind == "bubblewrap" else scratch
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": f"{inside}/home",
        "TMPDIR": inside,
        "LANG": "C.UTF-8",
        **spec.env,
        **spec.secret_env,
    }
    if kind == "bubblewrap":
        arguments = _bubblewrap(spec, data_folder)
    else:
        Path(scratch, "home").mkdir(exist_ok=True)
        arguments = _warden(spec, kind, scratch, data_folder)
    return Launch(
        kind=kind,
        arguments=tuple(arguments),
        environment=environment,
        cwd=scratch if kind == "bubblewrap" else spec.cwd or f"{scratch}/home",
    )


def _limits(profile: SandboxProfile) -> dict[str, Any]:
    return {
        "memory_bytes": profile.memory_bytes,
        "processes": profile.processes,
        "files": profile.files,
        "file_bytes": profile.file_bytes,
    }


def _covers(folder: str, path: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _is_private(path: str, data_folder: str) -> bool:
    """Whether a path inside the data folder is Placet's own, and not a server's folder there."""
    real, folder = Path(os.path.realpath(path)), Path(os.path.realpath(data_folder))
    if real == folder or not real.is_relative_to(folder):
        return False
    name = real.relative_to(folder).parts[0]
    return name in PRIVATE_FOLDERS or not (folder / name).is_dir()


def _bubblewrap(spec: UpstreamSpec, data_folder: str) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnusable("bubblewrap (bwrap) is not installed")
    profile = spec.sandbox
    words = [interpreter(), "-I", "-S", str(SHIM), "leash", str(os.getpid()), "--", program]
    words += ["--unshare-all", *(["--share-net"] if profile.network else [])]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108  # its own
    words += ["--size", str(SCRATCH_BYTES), "--tmpfs", SCRATCH_INSIDE]
    words += ["--dir", f"{SCRATCH_INSIDE}/home"]
    shown = _outermost([*needed_paths(spec), *profile.read_paths])
    for path in shown:
        if not _covers(data_folder, path):
            words += ["--ro-bind-try", path, path]
    if any(_covers(path, data_folder) for path in (*shown, *profile.write_paths)):
        for path in profile.write_paths:
            if not _covers(data_folder, path):
                words += ["--bind", path, path]
        words += ["--tmpfs", data_folder]
        inner = [path for path in profile.write_paths if _covers(data_folder, path)]
    else:
        inner = list(profile.write_paths)
    for path in profile.read_paths:
        if _covers(data_folder, path) and not _covers(path, data_folder):
            words += ["--ro-bind", path, path]
    for path in inner:
        if _covers(path, data_folder):
            raise SandboxUnusable(
                f"upstream {spec.name!r}: {path!r} would show all of Placet's own data"
            )
        words += ["--bind", path, path]
    words += ["--ro-bind", str(SHIM), SHIM_INSIDE]
    words += ["--remount-ro", "/dev", "--remount-ro", "/"]
    words += ["--chdir", spec.cwd or f"{SCRATCH_INSIDE}/home", "--"]
    words += [interpreter(), "-I", "-S", SHIM_INSIDE, "confine", json.dumps(_limits(profile))]
    return [*words, "--", found_program(spec), *spec.command[1:]]


def _warden(spec: UpstreamSpec, kind: Kind, scratch: str, data_folder: str) -> list[str]:
    profile = spec.sandbox
    policy: dict[str, Any] = _limits(profile) | {"count_other_processes": True}
    if kind == "landlock":
        read = [*needed_paths(spec), *profile.read_paths]
        write = [*profile.write_paths, scratch]
        for path in (*read, *write):
            if _covers(path, data_folder):
                raise SandboxUnusable(
                    f"upstream {spec.name!r}: {path!r} would show all of Placet's own data, and "
                    "Landlock cannot hide a folder inside a visible one; name narrower paths"
                )
        policy["landlock"] = {"read": read, "write": write, "network": profile.network}
        named_socket = any(Path(path).is_socket() for path in (*read, *write))
        try:
            sockets = socket_filter(network=profile.network, unix=named_socket)
        except NoFilter as error:
            raise SandboxUnusable(f"upstream {spec.name!r}: {error}") from error
        policy["filter"] = sockets.hex()
    words = [interpreter(), "-I", "-S", str(SHIM), "warden", str(os.getpid()), json.dumps(policy)]
    return [*words, "--", found_program(spec), *spec.command[1:]]
