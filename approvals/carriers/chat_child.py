"""The process that talks to one chat service: one order on standard input, one answer, the end.

Runs isolated (`python -I`), by its path, so that nothing but the standard library, Apprise and
the rule of addresses is loaded. Before the order is looked at, an audit hook is set that cannot
be taken off again: it refuses every connection to an address that is not allowed, every file
outside of Python's own folders, every program, every listening socket.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).resolve().parents[2]))

import apprise
from apprise.manager_plugins import NotificationManager

from approvals.outbound.addresses import AddressRefused, check_address

READABLE: Final = (
    os.path.realpath(sys.prefix),
    os.path.realpath(sys.base_prefix),
    str(Path(apprise.__file__).resolve().parent),
    "/etc/ssl",
    "/usr/share/zoneinfo",
    "/dev/null",
)
FORBIDDEN: Final = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
    "pty.", "socket.bind", "socket.__new__.unix", "ctypes.dlopen", "shutil.", "os.remove",
    "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.symlink", "os.link",
    "sqlite3.connect", "smtplib.", "ftplib.", "telnetlib.", "webbrowser.",
)  # fmt: skip
WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Guard:
    """The hook, and the last thing it refused."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self.refused = ""

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise at what this process may not do."""
        if event in {"socket.connect", "socket.sendto"}:
            self._connect(args[1])
        elif event == "open":
            self._open(args[0], args[2])
        elif event.startswith(FORBIDDEN):
            raise PermissionError(event)

    def _connect(self, address: object) -> None:
        try:
            if not isinstance(address, tuple):
                raise AddressRefused("a local socket is no address of a service")
            check_address(str(address[0]), allow_private=self._allow_private)
        except AddressRefused as refused:
            self.refused = str(refused)
            raise

    def _open(self, path: object, flags: object) -> None:
        if isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]  # str or bytes
        inside = any(real == root or real.startswith(f"{root}/") for root in READABLE)
        if not inside or (isinstance(flags, int) and flags & WRITING and real != "/dev/null"):
            self.refused = "the address asks for a file of this machine"
            raise PermissionError("a file")


def carry(order: dict[str, Any]) -> dict[str, Any]:
    """Send the ordered message; what came of it."""
    manager: Any = NotificationManager
    manager().load_modules()  # the hook would refuse what their import looks at
    guard = Guard(allow_private=order["allow_private"] is True)
    sys.addaudithook(guard)
    asset = apprise.AppriseAsset(
        app_id="Placet", app_desc="Placet", app_url="", image_url_mask="", image_url_logo="",
        async_mode=False, secure_logging=True, http_redirects=False,
    )  # fmt: skip
    try:
        service = apprise.Apprise.instantiate(order["url"], asset=asset, suppress_exceptions=True)
        if service is None:
            never = guard.refused or "the address is not one of that service"
            return {"taken": False, "never": True, "why": never}
        taken = service.notify(
            title=order["title"], body=order["text"], body_format=apprise.NotifyFormat.TEXT
        )
    except Exception as problem:  # noqa: BLE001 (a plugin may fail in any way; it may not speak)
        why = guard.refused or f"talking to the service failed ({type(problem).__name__})"
        return {"taken": False, "never": bool(guard.refused), "why": why}
    if taken:
        return {"taken": True}
    return {"taken": False, "never": bool(guard.refused), "why": guard.refused}


if __name__ == "__main__":
    answer = carry(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(answer))
