"""What the machine must give before any program starts: a lock, a port, descriptors, folders."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from pathlib import Path

from placet.keys import make_private_folder

BACKLOG = 2048
DESCRIPTORS = 65_536


class GroundRefused(Exception):
    """Placet cannot start here now; the message says why and what to do."""


def prepare_folders(data_dir: Path, run_dir: Path) -> Path:
    """Make the data folder and its rooms; returns the folder of the logs."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = data_dir / "logs"
    make_private_folder(logs)
    make_private_folder(run_dir)
    return logs


def take_lock(data_dir: Path) -> int:
    """Hold the data folder for this process until it ends; returns the descriptor."""
    path = data_dir / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 400, 0).decode("utf-8", errors="replace").strip()
        os.close(descriptor)
        raise GroundRefused(
            f"Placet already runs on {data_dir} ({holder or 'starting'}). "
            "Use that one, stop it first, or give this one another PLACET_DATA_DIR and PLACET_PORT."
        ) from None
    return descriptor


def note_in_lock(descriptor: int, url: str) -> None:
    """Tell a second start who holds the folder."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}, {url}\n".encode(), 0)


def bind(port: int) -> socket.socket:
    """A listening socket on loopback; connections wait in it until the web process is up."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError as error:
        sock.close()
        raise GroundRefused(
            f"Port {port} cannot be used ({error.strerror}). Set PLACET_PORT to a free one."
        ) from None
    sock.listen(BACKLOG)
    return sock


def raise_descriptor_limit() -> int:
    """Lift the soft limit of open files, which every held call and socket needs; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
