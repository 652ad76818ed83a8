"""The one writer of call records in a process: group commit.

A thread takes whatever has gathered, writes it in one transaction that reads the gate first, and
acknowledges each start after the commit. When a group fails, each of its items is tried alone,
so that one bad call harms no other. Completions ride along with starts, or go a moment later;
one that cannot be written is lost, and its call reads "completion not recorded".
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import OperationalError, close_old_connections, connections, transaction

from mcpbridge import approvals_gateway as ledger
from mcpbridge.records.rows import CallEnd, CallStart, insert_ends, insert_starts, refusal

logger = logging.getLogger(__name__)

MAX_GROUP: Final = 128
MAX_WAITING: Final = 10_000
LINGER_SECONDS: Final = 0.1  # how long completions wait for a start to ride along with
STOP_SECONDS: Final = 5.0


class RecordRefused(Exception):
    """The call cannot be recorded now, so it is not made."""


@dataclass(eq=False)
class _Wanted:
    """A start that somebody waits for."""

    start: CallStart
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    error: BaseException | None = field(default=None)


type _Item = _Wanted | CallEnd | None


class Writer:
    """The thread and its queue."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="call-records", daemon=True)
        self._thread.start()
        self._failing = False

    def put(self, item: _Item) -> None:
        """Hand over one item; None ends the thread when all before it is written."""
        self._queue.put(item)

    def is_full(self) -> bool:
        """Whether the database is so far behind that new calls are better refused."""
        return self._queue.qsize() >= MAX_WAITING

    def stop(self) -> None:
        """Write what waits, then end the thread and its connection."""
        if self.pid == os.getpid() and self._thread.is_alive():
            self.put(None)
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            running = True
            while running:
                running = self._write(self._gather())
        finally:
            connections.close_all()

    def _gather(self) -> list[_Item]:
        """Block for the first item, then take what is there; completions alone linger."""
        group: list[_Item] = [self._queue.get()]
        while len(group) < MAX_GROUP and group[-1] is not None:
            try:
                if isinstance(group[-1], CallEnd) and not _starts(group):
                    group.append(self._queue.get(timeout=LINGER_SECONDS))
                else:
                    group.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return group

    def _write(self, group: Sequence[_Item]) -> bool:
        wanted = _starts(group)
        ends = [item for item in group if isinstance(item, CallEnd)]
        try:
            self._try_all(wanted, ends)
        except OperationalError as error:
            self._give_up(wanted, ends, error)
        finally:
            close_old_connections()
        _acknowledge(wanted)
        return group[-1] is not None

    def _try_all(self, wanted: Sequence[_Wanted], ends: Sequence[CallEnd]) -> None:
        """Commit the group, or else each item alone. Raises OperationalError."""
        try:
            close_old_connections()
            _commit(wanted, ends)
        except OperationalError:
            # Perhaps only this connection had died; a database that is away fails again, at once.
            close_old_connections()
            _commit(wanted, ends)
        except Exception as error:  # noqa: BLE001 (each item finds its own error below)
            alone: list[tuple[list[_Wanted], list[CallEnd]]] = [
                *(([item], []) for item in wanted),
                *(([], [end]) for end in ends),
            ]
            for one, end in alone:
                if len(alone) == 1:
                    self._give_up(one, end, error)
                else:
                    self._try_alone(one, end)
        self._failing = False

    def _try_alone(self, wanted: list[_Wanted], ends: list[CallEnd]) -> None:
        try:
            _commit(wanted, ends)
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 (told by _give_up)
            self._give_up(wanted, ends, error)

    def _give_up(
        self, wanted: Sequence[_Wanted], ends: Sequence[CallEnd], error: Exception
    ) -> None:
        is_away = isinstance(error, OperationalError)
        if not (is_away and self._failing):  # an outage is told once
            logger.error("Call records cannot be written.", exc_info=error)
        self._failing = is_away
        for item in wanted:
            item.error = RecordRefused("the call could not be recorded, so it was not made")
            item.error.__cause__ = error
        if ends:
            logger.warning("%d completions were not recorded.", len(ends))


def _starts(group: Sequence[_Item]) -> list[_Wanted]:
    return [item for item in group if isinstance(item, _Wanted)]


def _commit(wanted: Sequence[_Wanted], ends: Sequence[CallEnd]) -> None:
    """One transaction: the gate, the starts it lets pass, the completions."""
    refused: dict[_Wanted, BaseException] = {}
    with transaction.atomic(durable=True):
        if wanted:
            gate = ledger.gate_for_share()
            for item in wanted:
                found = refusal(item.start, gate)
                if found is not None:
                    refused[item] = found
            insert_starts([item.start for item in wanted if item not in refused])
        if ends:
            insert_ends(ends)
    for item in wanted:
        item.error = refused.get(item)


def _acknowledge(wanted: Sequence[_Wanted]) -> None:
    """Tell those who wait, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Wanted]] = {}
    for item in wanted:
        by_loop.setdefault(item.loop, []).append(item)
    for loop, items in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, items)
        except RuntimeError:  # the loop was closed: nobody waits any more
            logger.warning("%d recorded calls were not made: their loop is gone.", len(items))


def _resolve(items: Sequence[_Wanted]) -> None:
    for item in items:
        if item.done.done():
            continue
        if item.error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(item.error)


_lock = threading.Lock()
_writer: Writer | None = None


def _running() -> Writer:
    global _writer  # noqa: PLW0603 (one per process, made at first use and after a fork)
    with _lock:
        if _writer is None or _writer.pid != os.getpid():
            _writer = Writer()
        return _writer


async def start(call: CallStart) -> None:
    """Return when the call's start is committed, under the epoch it was judged at.

    Raises AuthorityChanged, KillSwitchOn or RecordRefused: then nothing was recorded.
    """
    writer = _running()
    if writer.is_full():
        raise RecordRefused("too many calls wait to be recorded")
    loop = asyncio.get_running_loop()
    wanted = _Wanted(call, loop, loop.create_future())
    writer.put(wanted)
    await wanted.done


def ended(end: CallEnd) -> None:
    """Record soon how a call ended; never fails, never waits."""
    _running().put(end)


def shutdown() -> None:
    """Write what waits and end the thread; the next use starts it again."""
    global _writer
    with _lock:
        writer, _writer = _writer, None
    if writer is not None:
        writer.stop()


atexit.register(shutdown)
