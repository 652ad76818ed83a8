"""The stdio host: listens on the socket, greets clients, keeps servers and their leases.

One process per machine and data folder. It reads configurations through the source it is given
and holds leases through the store it is given; it knows neither the ORM nor Django.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcpbridge.upstream import link
from mcpbridge.upstream.envelope import dump
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.replies import MalformedMessage, load
from mcpbridge.upstream.sandbox import Kind, best_kind
from mcpbridge.upstream.spec import UpstreamSpec, config_digest
from mcpbridge.upstream.stdio.child import Child
from mcpbridge.upstream.stdio.keeper import GRACE_SECONDS, Keeper, LeaseStore
from mcpbridge.upstream.stdio.links import ServerLink
from mcpbridge.upstream.stdio.socket_file import SocketFile

log = logging.getLogger(__name__)

SHARED = "shared"
HELLO_BYTES = 64 * 1024
HELLO_SECONDS = 5.0
SECRET_BYTES = 16
HELLO_KEYS = ("upstream", "scope", "digest", "nonce", "proof")
MAX_LINKS = 256
MAX_SERVERS = 64
IDLE_SECONDS = 600.0
"""A server of one agent ends when nobody has been linked to it for so long."""

SpecSource = Callable[[], Awaitable[dict[str, UpstreamSpec]]]
"""Read the enabled stdio upstreams, by id."""


class StdioHost:
    """Run it with `serve()`; cancel that to stop everything."""

    def __init__(
        self,
        *,
        socket_path: str,
        secret: bytes,
        data_folder: str,
        source: SpecSource,
        leases: LeaseStore,
        lease_seconds: float = 10.0,
        tick_seconds: float = 2.0,
        kind: Callable[[], Kind] = best_kind,
    ) -> None:
        self._socket = SocketFile(link.check_socket_path(socket_path))
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"the link's secret must be at least {SECRET_BYTES} bytes long")
        self._secret = secret
        self._scratch_root = f"{socket_path}.scratch"
        self._data_folder = os.path.realpath(data_folder)
        self._source, self._leases = source, leases
        self._lease_seconds, self._tick_seconds = lease_seconds, tick_seconds
        self._kind = kind
        self._specs: dict[str, UpstreamSpec] = {}
        self._keepers: dict[tuple[str, str], Keeper] = {}
        self._links: dict[Keeper, int] = {}
        self._last_link = 0
        self._clients: set[asyncio.Task[None]] = set()
        self._ending: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.ready = asyncio.Event()

    async def serve(self) -> None:
        """Serve until cancelled; then no server is left. Raises HostAlreadyRuns."""
        self._socket.prepare_folder()
        lock = self._socket.lock()
        try:
            self._clear_scratch()
            listener = self._socket.listen()
            server = await asyncio.start_unix_server(self._greet, sock=listener, limit=HELLO_BYTES)
            try:
                await self._reload()
                self.ready.set()
                log.info("the stdio host listens with %d upstreams", len(self._specs))
                while True:
                    await asyncio.sleep(self._tick_seconds)
                    await self._tick()
            finally:
                server.close()
                await self._stop()
                self._socket.unlink()
        finally:
            os.close(lock)

    def _clear_scratch(self) -> None:
        """Remove what a host that was killed left behind."""
        shutil.rmtree(self._scratch_root, ignore_errors=True)
        Path(self._scratch_root).mkdir(mode=0o700)

    async def _stop(self) -> None:
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(
            *(
                keeper.close("the stdio host stopped", grace=GRACE_SECONDS)
                for keeper in self._keepers.values()
            )
        )
        waiting = {*self._clients, *self._ending.values()}
        if waiting:
            await asyncio.wait(waiting, timeout=5)

    async def _tick(self) -> None:
        await asyncio.gather(*(keeper.keep() for keeper in list(self._keepers.values())))
        await self._reload()
        now = asyncio.get_running_loop().time()
        for key, keeper in list(self._keepers.items()):
            if self._links.get(keeper):
                keeper.idle_since = now
            elif key[1] != SHARED and now - keeper.idle_since > IDLE_SECONDS:
                self._retire(key, "nobody uses it")

    async def _reload(self) -> None:
        """Read the configuration; end what was disabled or changed. An outage changes nothing."""
        try:
            self._specs = await self._source()
        except Exception as error:  # noqa: BLE001  # the leases decide how long we go on
            log.warning("the upstreams' configuration could not be read: %r", error)
            return
        for key, keeper in list(self._keepers.items()):
            spec = self._specs.get(key[0])
            if spec is None:
                self._retire(key, "the upstream was disabled", at_once=True)
            elif spec != keeper.spec:
                self._retire(key, "the upstream's configuration changed")

    def _retire(self, key: tuple[str, str], why: str, *, at_once: bool = False) -> None:
        keeper = self._keepers.pop(key)
        ending = keeper.close(why) if at_once else keeper.drain(why)
        before = self._ending.get(key)

        async def one_after_the_other() -> None:
            if before is not None:
                await asyncio.wait({before})
            await ending

        self._ending[key] = asyncio.create_task(one_after_the_other())

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            await self._serve_client(reader, writer)
        except UpstreamUnavailable as error:
            writer.write(link.refused(detail=error.detail, retry_after=error.retry_after) + b"\n")
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("a client was turned away: %r", error)
        except asyncio.CancelledError:
            pass
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        uid = link.peer_uid(writer.get_extra_info("socket"))
        if uid is not None and uid not in (0, os.geteuid()):
            log.error("user %d is not allowed to use the stdio host", uid)
            return
        if len(self._clients) > MAX_LINKS:
            raise UpstreamUnavailable("the stdio host has too many clients", retry_after=1.0)
        async with asyncio.timeout(HELLO_SECONDS):
            hello = _read_hello(await reader.readline())
        parts = (hello["upstream"], hello["scope"], hello["digest"], hello["nonce"])
        if not hmac.compare_digest(
            hello["proof"].encode(), link.proof(self._secret, "client", *parts).encode()
        ):
            log.error("a program that is none of Placet's own spoke to the stdio host")
            return
        keeper = await self._keeper(hello["upstream"], hello["scope"], hello["digest"])
        self._links[keeper] = self._links.get(keeper, 0) + 1
        try:
            child = await keeper.child()
            if self._last_link >= link.MAX_LINK:
                raise UpstreamUnavailable("the stdio host must be restarted: links ran out")
            self._last_link += 1
            writer.write(_welcome(self._last_link, child, keeper, self._proof(hello)) + b"\n")
            await ServerLink(self._last_link, child, reader, writer).carry()
        finally:
            self._links[keeper] -= 1
            if not self._links[keeper]:
                del self._links[keeper]

    def _proof(self, hello: dict[str, str]) -> str:
        return link.proof(self._secret, "host", hello["nonce"])

    async def _keeper(self, upstream_id: str, scope: str, digest: str) -> Keeper:
        spec = self._specs.get(upstream_id)
        if spec is None or config_digest(spec).hex() != digest:
            await self._reload()
            spec = self._specs.get(upstream_id)
        if spec is None:
            raise UpstreamUnavailable("the stdio host knows no such enabled upstream")
        if config_digest(spec).hex() != digest:
            raise UpstreamUnavailable("the upstream's configuration changed; read it again")
        scope = scope if spec.per_agent_scope else SHARED
        keeper = self._keepers.get((upstream_id, scope))
        if keeper is None:
            if len(self._keepers) >= MAX_SERVERS:
                raise UpstreamUnavailable("this host keeps too many stdio servers already")
            keeper = self._keepers[upstream_id, scope] = Keeper(
                spec,
                scope,
                leases=self._leases,
                lease_seconds=self._lease_seconds,
                kind=self._kind,
                data_folder=self._data_folder,
                scratch_root=self._scratch_root,
                predecessor=self._ending.get((upstream_id, scope)),
            )
        return keeper


def _read_hello(line: bytes) -> dict[str, str]:
    body: Any = load(line) if line else None
    if (
        not isinstance(body, dict)
        or body.get(link.KEY) != "hello"
        or body.get("version") != link.LINK_VERSION
        or not all(isinstance(body.get(key), str) for key in HELLO_KEYS)
        or len(body["scope"]) > 64
    ):
        raise MalformedMessage("not a greeting")
    return {key: body[key] for key in HELLO_KEYS}


def _welcome(number: int, child: Child, keeper: Keeper, proof: str) -> bytes:
    return dump(
        {
            link.KEY: "welcome",
            "link": number,
            "era": child.agreement.era,
            "protocolVersion": child.agreement.version,
            "serverInfo": child.agreement.server_info,
            "capabilities": child.agreement.capabilities,
            "sandbox": keeper.label,
            "fence": keeper.fence,
            "proof": proof,
        }
    )
