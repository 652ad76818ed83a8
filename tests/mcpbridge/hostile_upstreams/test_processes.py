"""What a server starts is held to its number and ends with it; a container engine is a command."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcpbridge.upstream import envelope, link
from mcpbridge.upstream.replies import ToolResult
from mcpbridge.upstream.sandbox import launch, plan
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec
from mcpbridge.upstream.stdio.child import Child
from tests.mcpbridge.upstream.conftest import HostForTests
from tests.mcpbridge.upstream.test_sandbox import processes_marked
from tests.support import witness
from tests.support.waiting import eventually_async

PROCESSES = 40
SYSTEM_PYTHON = "/usr/bin/python3"


class Nobody:
    """A client that wants no answer."""

    number = 1

    def deliver(self, line: bytes) -> None:
        pass


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """The shim and the witness where an ordinary user may read them, and a record to write to."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/var/tmp"))
    folder.chmod(0o755)
    for name in ("core.py", "over_stdio.py"):
        shutil.copy(Path(witness.__file__).with_name(name), folder / name)
    shutil.copy(launch.SHIM, folder / "shim.py")
    for path in folder.iterdir():
        path.chmod(0o644)
    for name in ("record", "scratch", "scratch/home"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
async def test_a_fork_bomb_is_held_to_its_number_and_gone_with_its_server(
    kind, readable_folder, ordinary_user, monkeypatch, record_property
):
    """Run by an ordinary user: the kernel does not count the processes of root."""
    monkeypatch.setattr(launch, "SHIM", readable_folder / "shim.py")
    monkeypatch.setattr(launch, "interpreter", lambda: SYSTEM_PYTHON)
    monkeypatch.setattr(launch.sys, "base_prefix", "/usr")
    mark = str(readable_folder / "record")
    spec = UpstreamSpec(
        id="b",
        name="bomb",
        transport="stdio",
        command=(
            *(SYSTEM_PYTHON, str(readable_folder / "over_stdio.py"), mark),
            *("--era", "legacy", "--mischief", "fork_bomb"),
        ),
        sandbox=SandboxProfile(
            read_paths=(str(readable_folder),), write_paths=(mark,), processes=PROCESSES
        ),
    )
    scratch = str(readable_folder / "scratch")
    planned = plan(spec, kind=kind, scratch=scratch, data_folder="/nonexistent")
    words = (*ordinary_user, *planned.arguments)
    child = await Child.start(spec, replace(planned, arguments=words), probe=False)
    client = Nobody()
    child.traffic.attach(client)
    request_id = link.first_id(client.number) + 1
    line = envelope.call_line(request_id=request_id, name="echo", arguments=b"{}", meta={})
    child.traffic.submit(client, request_id, line)
    await eventually_async(lambda: len(processes_marked(mark)) >= PROCESSES // 2)
    most, late = 0, 0.0
    loop = asyncio.get_running_loop()
    for _ in range(10):
        most = max(most, len(processes_marked(mark)))
        asked = loop.time()
        await asyncio.sleep(0.05)
        late = max(late, loop.time() - asked - 0.05)
    began = loop.time()
    await child.end("it is over")
    await eventually_async(lambda: not processes_marked(mark))
    record_property(
        "figure",
        f"{loop.time() - began:5.2f} s until all {most} processes were gone; this process was "
        f"late by {late * 1000:.0f} ms at most",
    )
    assert loop.time() - began < 15
    assert most <= PROCESSES + 4  # with what stands around the server: leash, sandbox, warden


ENGINE = """\
    #!{python}
    import os, socket, sys, threading
    engine = socket.socket(socket.AF_UNIX)
    engine.connect({socket!r})
    engine.sendall("\\0".join(sys.argv[1:]).encode() + b"\\n")
    def pump():
        while chunk := engine.recv(65536):
            os.write(1, chunk)
        os._exit(0)
    threading.Thread(target=pump, daemon=True).start()
    while chunk := os.read(0, 65536):
        engine.sendall(chunk)
"""


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
async def test_a_container_engines_client_is_a_command_like_any_other(kind, short_folder):
    """Its socket is named as a path it may write to; what it runs is the engine's own affair."""
    started: list[list[str]] = []

    async def run(reader, writer):
        started.append((await reader.readline()).decode().strip().split("\0"))
        process = await asyncio.create_subprocess_exec(
            *witness.command(host.record),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

        async def pump(source, sink):
            while chunk := await source.read(65536):
                sink.write(chunk)
                await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, process.stdin), pump(process.stdout, writer))
        await process.wait()

    host = HostForTests(short_folder, kind)
    host.record.mkdir()
    address = str(short_folder / "engine.sock")
    server = await asyncio.start_unix_server(run, address)
    client = short_folder / "bin" / "engine"
    client.parent.mkdir()
    client.write_text(textwrap.dedent(ENGINE).format(python=sys.executable, socket=address))
    client.chmod(0o755)
    command = (str(client), "run", "-i", "--rm", "--network", "none", "an/image:1")
    spec = UpstreamSpec(
        id="w",
        name="contained",
        transport="stdio",
        command=command,
        sandbox=SandboxProfile(read_paths=(sys.prefix, sys.base_prefix), write_paths=(address,)),
    )
    host.specs["w"] = spec
    await host.start()
    session = await host.pool.session(spec)
    reply = await session.call_tool(name="echo", arguments=json.dumps({"text": "in"}).encode())
    assert isinstance(reply, ToolResult)
    assert reply.result["content"][0]["text"] == "in"
    assert started == [list(command[1:])]
    await host.stop()
    await eventually_async(lambda: any(e["kind"] == "stdin closed" for e in host.events()))
    await eventually_async(lambda: not processes_marked(str(host.record)))
    server.close()
    await server.wait_closed()
