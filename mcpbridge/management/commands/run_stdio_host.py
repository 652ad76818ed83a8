"""Run the process that owns this machine's stdio servers, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket

from django.core.management.base import BaseCommand, CommandError

from mcpbridge import conf
from mcpbridge.catalog.secrets import SecretsUnreadable
from mcpbridge.catalog.specs import spec_of
from mcpbridge.models import Upstream
from mcpbridge.offload import in_database, shutdown
from mcpbridge.upstream.link import UnusableSocketPath
from mcpbridge.upstream.spec import BadUpstreamSpec, UpstreamSpec
from mcpbridge.upstream.stdio.host import StdioHost
from mcpbridge.upstream.stdio.leases import DatabaseLeases
from mcpbridge.upstream.stdio.socket_file import HostAlreadyRuns

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0


class Command(BaseCommand):
    """Own and sandbox the stdio servers of the enabled upstreams."""

    help = "Runs the stdio servers of the enabled upstreams, sandboxed, behind a private socket."

    def handle(self, *args: object, **options: object) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            asyncio.run(_serve())
        except (HostAlreadyRuns, UnusableSocketPath) as error:
            raise CommandError(str(error)) from error
        finally:
            shutdown()


async def _serve() -> None:
    name = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
    host = StdioHost(
        socket_path=conf.stdio_socket(),
        secret=conf.stdio_secret(),
        data_folder=str(conf.data_dir()),
        source=_enabled_specs,
        leases=DatabaseLeases(name, lease_seconds=LEASE_SECONDS),
        lease_seconds=LEASE_SECONDS,
    )
    serving = asyncio.create_task(host.serve())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("the stdio host has stopped")


async def _enabled_specs() -> dict[str, UpstreamSpec]:
    return await in_database(_read_specs)


def _read_specs() -> dict[str, UpstreamSpec]:
    """Read every enabled stdio upstream; one that cannot be read does not stop the others."""
    specs: dict[str, UpstreamSpec] = {}
    rows = Upstream.objects.filter(enabled=True, transport=Upstream.Transport.STDIO)
    for row in rows:
        try:
            specs[str(row.id)] = spec_of(row)
        except (BadUpstreamSpec, SecretsUnreadable) as error:
            log.error("the stdio upstream %s cannot be run: %s", row.name, error)  # noqa: TRY400  # no traceback: the message is for an admin
    return specs
