"""The small program between the stdio host and a server. Standard library only; run as a script.

    shim.py leash   PARENT -- COMMAND...          die with PARENT, then become COMMAND
    shim.py confine POLICY -- COMMAND...          take limits and rules, then become COMMAND
    shim.py warden  PARENT POLICY -- COMMAND...   stay, run a confined COMMAND, and when it or
                                                  PARENT ends, end everything it ever started

PARENT is a process id, POLICY a JSON object. It knows nothing of Placet: it also runs inside the
sandbox, where nothing of Placet can be seen. Landlock: kernel documentation, "Landlock:
unprivileged access control"; prctl(2) for the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read folder
WRITE = 1 << 1 | (1 << 13) - (1 << 4)  # write file; remove and make everything
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | TRUNCATE | IOCTL_DEVICE
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
EXIT_CANNOT_CONFINE = 125

libc = ctypes.CDLL(None, use_errno=True)


class CannotConfine(RuntimeError):
    """A rule could not be applied; the command must not run without it."""


def set_attribute(option: int, value: int) -> None:
    """Set an attribute of this process (man 2 prctl). Raises CannotConfine."""
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise CannotConfine(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def die_with(parent: int, how: int) -> None:
    """Have the kernel send `how` when `parent` is gone; exit now if it is gone already."""
    if sys.platform == "linux":
        set_attribute(PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        raise SystemExit(1)


def landlock_abi() -> int:
    """Return the kernel's Landlock version; 0 when it has none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)))


def _syscall(what: str, *arguments: object) -> int:
    result = int(libc.syscall(*arguments))
    if result < 0:
        raise CannotConfine(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def apply_landlock(*, read: list[str], write: list[str], network: bool) -> None:
    """Forbid every path but these, and TCP unless `network`. Raises CannotConfine."""
    abi = landlock_abi()
    if abi < 1:
        raise CannotConfine("this kernel has no Landlock")
    newer = (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0)
    write_access = READ | WRITE | newer
    handled = write_access | (IOCTL_DEVICE if abi >= 5 else 0)
    tcp = 3 if abi >= 4 and not network else 0
    scoped = 3 if abi >= 6 else 0  # abstract sockets and signals stay inside
    layout = struct.pack("=QQQ", handled, tcp, scoped)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    attributes = ctypes.create_string_buffer(layout, len(layout))
    rules = _syscall("landlock_create_ruleset", LANDLOCK_CREATE_RULESET, attributes, len(layout), 0)
    for path in read:
        _allow(rules, path, READ)
    for path in write:
        _allow(rules, path, write_access)
    for path in DEVICES:
        _allow(rules, path, handled & FILE_ONLY)
    set_attribute(PR_SET_NO_NEW_PRIVS, 1)
    _syscall("landlock_restrict_self", LANDLOCK_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            access &= FILE_ONLY
        layout = struct.pack("=Qi", access, handle)
        rule = ctypes.create_string_buffer(layout, len(layout))
        _syscall("landlock_add_rule", LANDLOCK_ADD_RULE, rules, 1, rule, 0)
    finally:
        os.close(handle)


def apply_filter(program: bytes) -> None:
    """Have the kernel judge every system call by `program` (man 2 seccomp)."""
    steps = ctypes.create_string_buffer(program, len(program))
    layout = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    described = ctypes.create_string_buffer(layout, len(layout))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0) != 0:
        raise CannotConfine(f"the filter of system calls: {os.strerror(ctypes.get_errno())}")


def processes_of_this_user() -> int:
    """Count them: where there is no user namespace, the limit counts them, too."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                count += entry.stat().st_uid == os.getuid()
    return count


def limit(policy: dict[str, Any]) -> None:
    """Set the resource limits of `policy`, softened to what is already in force."""
    processes = policy["processes"]
    if policy.get("count_other_processes"):
        processes += processes_of_this_user()
    wanted = {
        resource.RLIMIT_AS: policy["memory_bytes"],
        resource.RLIMIT_NOFILE: policy["files"],
        resource.RLIMIT_FSIZE: policy["file_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: processes,
    }
    for what, value in wanted.items():
        hard = resource.getrlimit(what)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(what, (allowed, allowed))
        except (OSError, ValueError) as error:
            if sys.platform == "linux":
                raise CannotConfine(f"limit {what}: {error}") from None


def confine(policy: dict[str, Any], command: list[str]) -> NoReturn:
    """Take every restriction, then become the command. Raises CannotConfine."""
    limit(policy)
    if sys.platform == "linux":
        set_attribute(PR_SET_NO_NEW_PRIVS, 1)
    if (landlock := policy.get("landlock")) is not None:
        apply_landlock(**landlock)
    if (program := policy.get("filter")) is not None:
        apply_filter(bytes.fromhex(program))
    become(command)


def become(command: list[str]) -> NoReturn:
    """Replace this process by the command, with Python's ignored signals restored."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # a program and its arguments, no shell
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]!r}: {error.strerror}\n")
        os._exit(127)


def group_warden(parent: int, policy: dict[str, Any], command: list[str]) -> NoReturn:
    """Do what can be done without Linux: end the command's process group with it or `parent`."""
    stop, ask_to_stop = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(ask_to_stop, b"x"))
    child = os.fork()
    if child == 0:
        os.setsid()
        confine(policy, command)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    status = 0
    while os.getppid() == parent and not select.select([stop], [], [], 0.5)[0]:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(code)
            break
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    os._exit(status if status >= 0 else 128 - status)


def warden(parent: int, policy: dict[str, Any], command: list[str]) -> NoReturn:
    """Run the command; when it or `parent` ends, kill all that descends from it, then exit."""
    stops = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops | {signal.SIGCHLD})
    if sys.platform == "linux":
        set_attribute(PR_SET_CHILD_SUBREAPER, 1)
    die_with(parent, signal.SIGTERM)
    me = os.getpid()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.setsid()
        die_with(me, signal.SIGKILL)
        confine(policy, command)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    status = 0
    while True:
        came = signal.sigtimedwait(stops | {signal.SIGCHLD}, 1.0)
        ended = dict(_reap())
        if child in ended:
            status = os.waitstatus_to_exitcode(ended[child])
            break
        if os.getppid() != parent or (came is not None and came.si_signo in stops):
            break
    _end_descendants()
    os._exit(status if status >= 0 else 128 - status)


def _reap() -> list[tuple[int, int]]:
    reaped: list[tuple[int, int]] = []
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
            reaped.append(found)
    return reaped


def _descendants() -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _end_descendants() -> None:
    """Kill until nothing is left; stopping first, so that nothing can fork its way out."""
    while True:
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in _descendants():
                with contextlib.suppress(OSError):
                    os.kill(pid, how)
        _reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        signal.sigtimedwait({signal.SIGCHLD}, 0.02)


def main(arguments: list[str]) -> NoReturn:
    """Read the command line (see the module's docstring)."""
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    try:
        if options[0] == "leash":
            die_with(int(options[1]), signal.SIGKILL)
            become(command)
        if options[0] == "confine":
            confine(json.loads(options[1]), command)
        watch = warden if hasattr(signal, "sigtimedwait") else group_warden
        watch(int(options[1]), json.loads(options[2]), command)
    except CannotConfine as error:
        sys.stderr.write(f"the sandbox could not be set up: {error}\n")
        os._exit(EXIT_CANNOT_CONFINE)


if __name__ == "__main__":
    main(sys.argv[1:])
