"""One running stdio server: its process, its pipes, its handshake and its end.

Knows the sandbox's launch; knows no database, no lease and no client. What travels through the
pipes is the traffic's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from mcpbridge.upstream import envelope
from mcpbridge.upstream.envelope import Era
from mcpbridge.upstream.errors import Unknown, UpstreamUnavailable
from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.negotiation import Agreement, negotiate
from mcpbridge.upstream.replies import MalformedMessage, Message
from mcpbridge.upstream.sandbox import Launch
from mcpbridge.upstream.spec import UpstreamSpec
from mcpbridge.upstream.stdio.chatter import Chatter
from mcpbridge.upstream.stdio.patience import TooMuch
from mcpbridge.upstream.stdio.traffic import NeverAsked, Traffic

CHUNK = 256 * 1024
PROBE_SECONDS = 10.0
START_SECONDS = 30.0
END_SECONDS = 2.0


class DiedInProbe(UpstreamUnavailable):
    """The server ended at a question of the other protocol era."""


class Child:
    """A started server. `ended` is set once it is gone; `why` and `detail` then say how."""

    def __init__(self, spec: UpstreamSpec, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("the process was started without its pipes")
        self.spec = spec
        self.agreement = Agreement(era="legacy", version="")
        self.ended = asyncio.Event()
        self.why: Unknown | None = None
        self.detail = "the server ended"
        self.chatter = Chatter(spec)
        self.traffic = Traffic(
            max_notifications=spec.caps.notifications, one_agent=spec.per_agent_scope
        )
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._own_requests = 0
        self._reading = asyncio.create_task(self._read())
        self._others = {
            asyncio.create_task(self._write()),
            asyncio.create_task(self.chatter.follow(process.stderr)),
        }
        self._watch = asyncio.create_task(self._wait())

    @classmethod
    async def start(cls, spec: UpstreamSpec, launch: Launch, *, probe: bool) -> Child:
        """Start the process and negotiate. Raises UpstreamUnavailable, leaving nothing behind."""
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=launch.environment,
                cwd=launch.cwd,
                start_new_session=True,
                limit=CHUNK,
            )
        except OSError as error:
            raise UpstreamUnavailable(
                f"the server's process cannot be started: {error.strerror}"
            ) from error
        child = cls(spec, process)
        try:
            async with asyncio.timeout(START_SECONDS):
                child.agreement = await negotiate(
                    child._ask,
                    child._announce,
                    probe=probe,
                    capabilities=spec.questions.capabilities(),
                )
        except BaseException as error:
            crashed = child.ended.is_set() and child.why is None
            await child.end("it did not start properly")
            if isinstance(error, TimeoutError):
                raise UpstreamUnavailable("the server did not answer initialize in time") from None
            if crashed and isinstance(error, UpstreamUnavailable):
                said = child.chatter.last_words()
                kind = DiedInProbe if probe else UpstreamUnavailable
                raise kind(f"the server ended while starting{said}") from error
            raise
        return child

    async def end(self, detail: str, *, grace: float = 0.0) -> None:
        """End the server with all that belongs to it, and wait until it is gone.

        With `grace` (seconds) its input is closed first, so that it can end by itself.
        """
        if grace and not self.ended.is_set():
            self._note(Unknown.EOF, detail)
            self._stdin.close()
            await asyncio.wait({self._watch}, timeout=grace)
        self._break_off(Unknown.EOF, detail)
        await asyncio.wait({self._watch})

    def _note(self, why: Unknown, detail: str) -> None:
        if self.why is None:
            self.why, self.detail = why, detail

    def _break_off(self, why: Unknown, detail: str) -> None:
        """Kill the server; the first reason given is the one that is told."""
        if self.ended.is_set():
            return
        self._note(why, detail)
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(END_SECONDS, self._kill_if_running)

    def _kill_if_running(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _wait(self) -> None:
        await self._process.wait()
        await asyncio.wait({self._reading}, timeout=END_SECONDS)
        self.traffic.finish(self.why or Unknown.EOF, self.detail)
        self.ended.set()
        tasks = {self._reading, *self._others}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._stdin.close()

    async def _write(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._stdin.write(await self.traffic.next_line() + b"\n")
                await self._stdin.drain()

    async def _read(self) -> None:
        splitter = LineSplitter(self.spec.caps.line_bytes)
        try:
            while chunk := await self._stdout.read(CHUNK):
                for line in splitter.feed(chunk):
                    if not self.traffic.route(line):
                        self.chatter.hear(line)
        except (LineTooLong, TooMuch) as error:
            self._break_off(Unknown.OVERSIZE, str(error))
        except MalformedMessage as error:
            self._break_off(Unknown.MALFORMED, str(error))
        except NeverAsked as error:
            self._break_off(Unknown.WRONG_ID, str(error))
        else:
            asyncio.get_running_loop().call_later(END_SECONDS, self._closed_its_output)
        await self._drain()

    async def _drain(self) -> None:
        """Throw away what still comes: a full pipe would hide from us that the process ended."""
        with contextlib.suppress(OSError):
            while await self._stdout.read(CHUNK):
                pass

    def _closed_its_output(self) -> None:
        """A server that lives on without its output is of no use to anybody."""
        if self._process.returncode is None:
            self._break_off(Unknown.EOF, "the server closed its output")

    async def _ask(
        self, method: str, params: Mapping[str, Any], era: Era, version: str
    ) -> Message | None:
        self._own_requests += 1
        meta = envelope.request_meta(era, version, extra={}, progress_token=None)
        line = envelope.request_line(
            request_id=self._own_requests, method=method, params=params, meta=meta
        )
        future = self.traffic.ask(self._own_requests, line)
        patience = PROBE_SECONDS if method == "server/discover" else START_SECONDS
        await asyncio.wait({future}, timeout=patience)
        if future.done() and not future.cancelled():
            return future.result()
        future.cancel()
        if self.ended.is_set() or self._process.returncode is not None:
            await self.ended.wait()
            raise UpstreamUnavailable(self.detail)
        return None

    async def _announce(self, method: str, version: str) -> None:
        self.traffic.enqueue(envelope.notification_line(method))
