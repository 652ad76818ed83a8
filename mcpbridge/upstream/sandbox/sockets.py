"""A filter of system calls that keeps a server from opening sockets (man 2 seccomp).

Landlock knows TCP alone: not UDP, and not the Unix sockets of Placet's own programs. This closes
what it leaves open. Builds the program for the kernel; the shim, inside, hands it over.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from typing import Final

AF_UNIX: Final = 1
SOCK_DGRAM: Final = 2
IO_URING_SETUP: Final = 425  # its requests open sockets without the calls that are looked at
X32_CALLS: Final = 0x40000000

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_CALL, _MACHINE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000 | 13  # fail with EACCES


@dataclass(frozen=True)
class _Machine:
    audit: int
    socket: int
    socketpair: int


_MACHINES: Final = {
    "x86_64": _Machine(audit=0xC000003E, socket=41, socketpair=53),
    "aarch64": _Machine(audit=0xC00000B7, socket=198, socketpair=199),
}


class NoFilter(RuntimeError):
    """For this kind of machine no filter is known."""


def socket_filter(*, network: bool, unix: bool, machine: str | None = None) -> bytes:
    """Return the program: Unix sockets only with `unix`, every other kind only with `network`.

    Raises NoFilter on a processor whose call numbers are not known here.
    """
    name = machine or platform.machine()
    known = _MACHINES.get(name)
    if known is None:
        raise NoFilter(f"no socket filter is known for processors of type {name!r}")
    others = _ALLOW if network else _DENY
    # Each step: code, operand, steps to skip when it holds, and when it does not.
    steps = [
        (_LOAD, _MACHINE, 0, 0),
        (_EQUAL, known.audit, 1, 0),
        (_RETURN, _DENY, 0, 0),
        (_LOAD, _CALL, 0, 0),
        (_AT_LEAST, X32_CALLS, 0, 1),
        (_RETURN, _DENY, 0, 0),
        (_EQUAL, IO_URING_SETUP, 0, 1),
        (_RETURN, _DENY, 0, 0),
        (_EQUAL, known.socket, 6, 0),
        (_EQUAL, known.socketpair, 1, 0),
        (_RETURN, _ALLOW, 0, 0),
        # A pair of datagram sockets could still send to any address it is given.
        (_LOAD, _SECOND, 0, 0),
        (_AND, 0xF, 0, 0),
        (_EQUAL, SOCK_DGRAM, 4, 0),
        (_RETURN, _ALLOW, 0, 0),
        (_LOAD, _FIRST, 0, 0),
        (_EQUAL, AF_UNIX, 1, 0),
        (_RETURN, others, 0, 0),
        (_RETURN, _ALLOW if unix else _DENY, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", code, yes, no, value) for code, value, yes, no in steps)
