"""What the process that talks to chat services may not do, whatever a plugin tries."""

import json
import subprocess
import sys

import pytest

from approvals.carriers.chat import CHILD

TRIES = """
import json, os, runpy, socket, subprocess, sys
child = runpy.run_path({child!r})
guard = child["Guard"](allow_private={private})
sys.addaudithook(guard)
tries = {{
    "file": lambda: open("/etc/hostname").read(),
    "write": lambda: open({prefix!r} + "/written", "w"),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "fork": lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect("/tmp/x"),
    "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "inside": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("10.0.0.1", 9)),
    "metadata": lambda: socket.create_connection(("169.254.169.254", 80), timeout=1),
}}
found = {{}}
for name, act in tries.items():
    try:
        act()
        found[name] = "done"
    except BaseException as problem:
        found[name] = type(problem).__name__
print(json.dumps(found))
"""


def tried(*, private: bool) -> dict[str, str]:
    program = TRIES.format(child=str(CHILD), private=private, prefix=sys.prefix)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("private", [False, True])
def test_it_opens_no_file_starts_no_program_and_connects_to_nothing_inside(private):
    found = tried(private=private)
    refused = {
        "file": "PermissionError",
        "write": "PermissionError",
        "program": "PermissionError",
        "shell": "PermissionError",
        "fork": "PermissionError",
        "unix": "AddressRefused",
        "listen": "PermissionError",
        "metadata": "AddressRefused",
    }
    assert {name: found[name] for name in refused} == refused
    inside = {found["inside"], found["datagram"]}
    assert ("AddressRefused" in inside) is not private
