"""Keeping one stdio server, of one upstream and scope, running: lease, start, backoff, end.

Knows the lease only as a promise to keep; where it is stored is the lease store's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.sandbox import Kind, SandboxUnusable, label, plan
from mcpbridge.upstream.spec import UpstreamSpec
from mcpbridge.upstream.stdio.child import Child, DiedInProbe

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
WORTH_WAITING = 3.0
HEALTHY_AFTER = 30.0
DRAIN_SECONDS = 10.0
GRACE_SECONDS = 1.0
LEASE_STEP_SECONDS = 0.5


@dataclass(frozen=True)
class Status:
    """What a lease row tells about its server."""

    state: str  # idle, running, backoff, failed
    sandbox_label: str
    last_error: str


class LeaseStore(Protocol):
    """Where leases live. Every method may raise when the store cannot be reached."""

    async def acquire(self, *, upstream_id: str, scope: str) -> int | None:
        """Take the lease and return its new fence; None while another host holds it."""

    async def renew(self, *, upstream_id: str, scope: str, fence: int, status: Status) -> bool:
        """Extend the lease; False when it is ours no longer."""

    async def release(self, *, upstream_id: str, scope: str, fence: int) -> None:
        """Give the lease back early."""


class Keeper:
    """Owns at most one running server for (upstream, scope)."""

    def __init__(
        self,
        spec: UpstreamSpec,
        scope: str,
        *,
        leases: LeaseStore,
        lease_seconds: float,
        kind: Callable[[], Kind],
        data_folder: str,
        scratch_root: str,
        predecessor: asyncio.Task[None] | None = None,
    ) -> None:
        self.spec, self.scope = spec, scope
        self.fence: int | None = None
        self.label = ""
        self.last_error = ""
        self.idle_since = asyncio.get_running_loop().time()
        self._leases, self._lease_seconds = leases, lease_seconds
        self._kind, self._data_folder = kind, data_folder
        self._scratch_root = scratch_root
        self._predecessor = predecessor
        self._lock = asyncio.Lock()
        self._child: Child | None = None
        self._scratch: str | None = None
        self._held_until = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._started_at = 0.0
        self._probe = True
        self._closed = False

    @property
    def running(self) -> Child | None:
        """The live server, if any."""
        child = self._child
        return child if child is not None and not child.ended.is_set() else None

    @property
    def status(self) -> Status:
        """What the admin's page shows."""
        now = asyncio.get_running_loop().time()
        state = "running" if self.running else "backoff" if now < self._retry_at else "idle"
        return Status(state, self.label, self.last_error[:300])

    async def child(self) -> Child:
        """Return the live server, started if need be. Raises UpstreamUnavailable."""
        async with self._lock:
            if (running := self.running) is not None:
                return running
            if self._closed:
                raise UpstreamUnavailable("the upstream's configuration changed; try again")
            await self._note_end()
            await self._wait_for_predecessor()
            await self._wait_out_backoff()
            await self._take_lease()
            try:
                self._child = await self._start()
            except UpstreamUnavailable as error:
                self._count_failure(error.detail)
                raise UpstreamUnavailable(
                    error.detail, retry_after=self._remaining_backoff()
                ) from error
            if not self._may_run():
                await self._end("it may not run any more", grace=0.0)
                raise UpstreamUnavailable("the server may not run any more; try again")
            self._started_at = asyncio.get_running_loop().time()
            return self._child

    def _may_run(self) -> bool:
        """Whether the lease is still ours and nobody closed us, which may change at any await."""
        return self.fence is not None and not self._closed

    async def keep(self) -> None:
        """Renew the lease; without it the server ends at once. Called every few seconds."""
        if self.fence is None:
            return
        asked_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._lease_seconds / 3):
                kept = await self._leases.renew(
                    upstream_id=self.spec.id,
                    scope=self.scope,
                    fence=self.fence,
                    status=self.status,
                )
        except Exception as error:  # noqa: BLE001  # whatever the store suffers from: not renewed
            log.warning("the lease of %s could not be renewed: %r", self.spec.name, error)
            kept = asked_at < self._held_until
        else:
            if kept:
                self._held_until = asked_at + self._lease_seconds * 0.8
        if not kept:
            log.error("the lease of stdio server %s is lost: ending it", self.spec.name)
            self.fence = None
            await self._end("this host lost its lease", grace=0.0)

    async def drain(self, detail: str) -> None:
        """Take no new start, wait a little for answers under way, then end for good."""
        self._closed = True
        if (child := self.running) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await child.traffic.settled.wait()
        await self.close(detail, grace=GRACE_SECONDS)

    async def close(self, detail: str, *, grace: float = 0.0) -> None:
        """End the server and give the lease back."""
        self._closed = True
        await self._end(detail, grace=grace)
        fence, self.fence = self.fence, None
        if fence is not None:
            try:
                async with asyncio.timeout(self._lease_seconds / 3):
                    await self._leases.release(
                        upstream_id=self.spec.id, scope=self.scope, fence=fence
                    )
            except Exception as error:  # noqa: BLE001  # it lapses by itself
                log.warning("the lease of %s could not be released: %r", self.spec.name, error)

    async def _end(self, detail: str, *, grace: float) -> None:
        if self._child is not None:
            await self._child.end(detail, grace=grace)
            self._child = None
        self._drop_scratch()

    async def _note_end(self) -> None:
        """Count a server that ended by itself, unless it had been well for a while."""
        child, self._child = self._child, None
        if child is None:
            return
        if asyncio.get_running_loop().time() - self._started_at > HEALTHY_AFTER:
            self._failures = 0
        self._count_failure(child.detail + child.chatter.last_words())
        self._drop_scratch()

    def _count_failure(self, detail: str) -> None:
        self._failures += 1
        self.last_error = detail
        wait = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10))
        self._retry_at = asyncio.get_running_loop().time() + wait
        log.warning("stdio server %s: %s", self.spec.name, detail)

    def _remaining_backoff(self) -> float:
        return max(0.0, self._retry_at - asyncio.get_running_loop().time())

    async def _wait_for_predecessor(self) -> None:
        """Let the server under the former configuration end first: never two at a time."""
        if self._predecessor is not None:
            await asyncio.wait({self._predecessor})
            self._predecessor = None

    async def _wait_out_backoff(self) -> None:
        remaining = self._remaining_backoff()
        if remaining > WORTH_WAITING:
            raise UpstreamUnavailable(
                f"the server keeps ending: {self.last_error}", retry_after=remaining
            )
        await asyncio.sleep(remaining)

    async def _take_lease(self) -> None:
        """Take the lease, waiting for that of a host that died to lapse."""
        if self.fence is not None:
            if asyncio.get_running_loop().time() < self._held_until:
                return
            self.fence = None
        loop = asyncio.get_running_loop()
        patience = loop.time() + self._lease_seconds + LEASE_STEP_SECONDS
        while True:
            asked_at = loop.time()
            try:
                self.fence = await self._leases.acquire(upstream_id=self.spec.id, scope=self.scope)
            except Exception as error:
                raise UpstreamUnavailable("the server's lease cannot be read") from error
            if self.fence is not None:
                self._held_until = asked_at + self._lease_seconds * 0.8
                return
            if loop.time() > patience:
                raise UpstreamUnavailable("another host owns this stdio server", retry_after=2.0)
            await asyncio.sleep(LEASE_STEP_SECONDS)

    async def _start(self) -> Child:
        kind = await asyncio.to_thread(self._kind)
        self.label = label(kind)
        self._scratch = tempfile.mkdtemp(dir=self._scratch_root)
        try:
            launch = plan(
                self.spec, kind=kind, scratch=self._scratch, data_folder=self._data_folder
            )
            try:
                return await Child.start(self.spec, launch, probe=self._probe)
            except DiedInProbe:
                self._probe = False
                return await Child.start(self.spec, launch, probe=False)
        except SandboxUnusable as error:
            self._drop_scratch()
            raise UpstreamUnavailable(str(error)) from error
        except BaseException:
            self._drop_scratch()
            raise

    def _drop_scratch(self) -> None:
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
