"""`manage.py run_stdio_host` as a real process over real rows."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from mcpbridge.catalog.specs import spec_of
from mcpbridge.models import StdioLease, Upstream
from mcpbridge.offload import in_database, shutdown
from mcpbridge.upstream.client import UpstreamPool
from mcpbridge.upstream.errors import UpstreamUnavailable
from placet.keys import read_keys
from tests.mcpbridge.upstream.conftest import REPOSITORY, witness_spec
from tests.mcpbridge.upstream.test_sandbox import processes_marked
from tests.support.processes import Running
from tests.support.waiting import PATIENCE, eventually_async


@pytest.fixture
def installation(real_db, short_folder):
    """The witness as an enabled upstream row, and the command's environment."""
    spec = witness_spec(short_folder / "record")
    row = Upstream.objects.create(
        name="witness",
        transport="stdio",
        command=list(spec.command),
        sandbox={
            "read_paths": list(spec.sandbox.read_paths),
            "write_paths": list(spec.sandbox.write_paths),
        },
        config_digest=b"x" * 32,
    )
    env = {
        "PATH": os.environ["PATH"],
        "PLACET_DATA_DIR": str(short_folder / "data"),
        "PLACET_RUN_DIR": str(short_folder / "run"),
        "DATABASE_URL": real_db.url,
        "PYTHONUNBUFFERED": "1",
    }
    yield row, env
    shutdown()


@pytest.fixture
def command(installation, tmp_path):
    _, env = installation
    running = Running(
        [sys.executable, str(REPOSITORY / "manage.py"), "run_stdio_host"],
        log=tmp_path / "host.log",
        env=env,
    )
    running.says("the stdio host listens with 1 upstreams")
    yield running
    if running.alive():
        running.kill()


def a_pool(env) -> UpstreamPool:
    keys = read_keys(env, Path(env["PLACET_DATA_DIR"]))
    return UpstreamPool(stdio_socket=socket_of(env), stdio_secret=keys.derive("stdio-link"))


def socket_of(env) -> str:
    return f"{env['PLACET_RUN_DIR']}/stdio.sock"


async def test_rows_become_servers_and_leases_show_what_they_do(installation, command):
    row, env = installation
    spec = await in_database(spec_of, row)
    pool = a_pool(env)
    session = await pool.session(spec)
    reply = await session.call_tool(name="echo", arguments=b'{"text":"hello"}')
    assert reply.result["content"][0]["text"] == "hello"

    def lease():
        return StdioLease.objects.filter(state="running", sandbox_label="bubblewrap").first()

    async with asyncio.timeout(PATIENCE):
        while (found := await in_database(lease)) is None:
            await asyncio.sleep(0.1)
    assert found.fence == 1
    await in_database(lambda: Upstream.objects.filter(pk=row.pk).update(enabled=False))
    await eventually_async(lambda: not session.usable)
    await pool.close()
    command.signal(signal.SIGTERM)
    await eventually_async(lambda: not command.alive())
    assert command.process.returncode == 0
    assert not Path(socket_of(env)).exists()
    assert processes_marked(row.command[2]) == []


def test_a_second_host_is_refused_in_words(installation, command, tmp_path):
    _, env = installation
    second = Running(
        [sys.executable, str(REPOSITORY / "manage.py"), "run_stdio_host"],
        log=tmp_path / "second.log",
        env=env,
    )
    second.says("another stdio host serves")
    assert second.process.wait(10) != 0


async def test_a_changed_row_is_noticed_and_a_stale_reader_is_refused(installation, command):
    row, env = installation
    before = await in_database(spec_of, row)
    pool = a_pool(env)
    await pool.session(before)
    row.environment = {"MODE": "new"}
    await in_database(row.save)
    session = await pool.session(await in_database(spec_of, row))
    assert session.spec.env == {"MODE": "new"}
    with pytest.raises(UpstreamUnavailable, match="configuration changed"):
        await pool.session(before)
    await pool.close()
