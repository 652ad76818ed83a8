"""The file of the stdio host's socket: whose folder it is in, who holds it, and who may open it.

Knows nothing of what is said over it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path

from mcpbridge.upstream import link


class HostAlreadyRuns(RuntimeError):
    """Another host serves this socket."""


class SocketFile:
    """A Unix socket at `path`, served by one process at a time."""

    def __init__(self, path: str) -> None:
        self._path = path

    def prepare_folder(self) -> None:
        """Make the socket's folder; one that others could have planted is refused.

        Raises UnusableSocketPath.
        """
        folder = Path(self._path).parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        writable_by_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or writable_by_others:
            raise link.UnusableSocketPath(
                f"the folder {str(folder)!r} of the stdio host's socket must be a folder of this "
                "user that nobody else can write to"
            )

    def lock(self) -> int:
        """Lock it for this process; the descriptor that holds the lock. Raises HostAlreadyRuns."""
        handle = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise HostAlreadyRuns(f"another stdio host serves {self._path}") from None
        return handle

    def unlink(self) -> None:
        """Take it away."""
        Path(self._path).unlink(missing_ok=True)

    def listen(self) -> socket.socket:
        """Put it in its place, for this user alone, and listen on it."""
        self.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(self._path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(mask)
        return listener
