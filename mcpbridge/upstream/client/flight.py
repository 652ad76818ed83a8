"""One request on its way: whether it departed, what it may cost, when we stop waiting for it.

Knows no transport. The transports mark `departed` *before* they hand the first byte over, so that
"nothing was sent" is said only when it is certain.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any

from mcpbridge.calls.abort import Abort
from mcpbridge.upstream.client.asking import OpenQuestions
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, Unknown
from mcpbridge.upstream.notifications import ANNOUNCEMENTS, LOG
from mcpbridge.upstream.questions import Asking
from mcpbridge.upstream.replies import Message, ToolReply
from mcpbridge.upstream.spec import Timeouts


@dataclass(frozen=True)
class Progress:
    """A progress notification that belongs to our call."""

    progress: float
    total: float | None
    message: str | None


@dataclass(frozen=True)
class LateReply:
    """An answer that came after we had given up: evidence for a person, never an outcome."""

    upstream_id: str
    request_id: int
    reply: ToolReply


log = logging.getLogger(__name__)

QUESTION_LOOK = 1.0  # seconds between looks at the clock while a question is open

OnProgress = Callable[[Progress], None]
OnMessage = Callable[[Message], None]
OnLateReply = Callable[[LateReply], None]


class ExchangeFailed(Exception):
    """An exchange ended without an answer; `Flight.departed` says whether anything left."""

    def __init__(self, reason: Unknown, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def named(self, *, departed: bool) -> NothingSent | OutcomeUnknown:
        """Return what this failure means for a call."""
        return OutcomeUnknown(self.reason, self.detail) if departed else NothingSent(self.detail)


@dataclass(frozen=True)
class HttpRefusal:
    """An HTTP status instead of a JSON-RPC answer."""

    status: int
    location: str | None = None


Answer = Message | HttpRefusal


@dataclass
class Flight:
    """The state of one request while it is under way."""

    id: int
    on_progress: OnProgress | None = None
    max_notifications: int = 1000
    on_late: Callable[[ToolReply], None] | None = None
    on_log: OnMessage | None = None
    on_announcement: OnMessage | None = None
    departed: bool = False
    answering: bool = False
    is_call: bool = True  # somebody's, whom a question could be put to
    notifications: int = field(default=0, init=False)
    asking: InitVar[Asking | None] = None
    questions: OpenQuestions = field(init=False)

    def __post_init__(self, asking: Asking | None) -> None:
        self.questions = OpenQuestions(asking)

    def notice(self, message: Message) -> None:
        """Take a notification that came with this request. Raises ExchangeFailed past the cap."""
        self.notifications += 1
        if self.notifications > self.max_notifications:
            raise ExchangeFailed(
                Unknown.OVERSIZE, f"more than {self.max_notifications} notifications"
            )
        if message.method == LOG:
            _hand(self.on_log, message)
        elif message.method in ANNOUNCEMENTS:
            _hand(self.on_announcement, message)
        elif message.method == "notifications/progress":
            self._progress(message)

    def _progress(self, message: Message) -> None:
        params = message.body.get("params") or {}
        if self.on_progress is None:
            return
        token = params.get("progressToken")
        if type(token) is not int or token != self.id:
            return
        progress, total, text = params.get("progress"), params.get("total"), params.get("message")
        if isinstance(progress, bool) or not isinstance(progress, int | float):
            return
        usable_total = isinstance(total, int | float) and not isinstance(total, bool)
        step = Progress(
            progress=progress,
            total=total if usable_total else None,
            message=text[:1000] if isinstance(text, str) else None,
        )
        try:
            self.on_progress(step)
        except Exception:
            log.exception("a progress callback failed; the call goes on")

    def late(self, reply: ToolReply, everybody: OnLateReply | None, upstream_id: str) -> None:
        """Hand out an answer that came after we had given up."""
        try:
            if self.on_late is not None:
                self.on_late(reply)
            if everybody is not None:
                everybody(LateReply(upstream_id, self.id, reply))
        except Exception:
            log.exception("a late reply could not be handed out")


def _hand(callback: OnMessage | None, message: Message) -> None:
    try:
        if callback is not None:
            callback(message)
    except Exception:
        log.exception("a callback for notifications failed; the call goes on")


async def wait_for_answer(
    task: asyncio.Task[Any],
    flight: Flight,
    *,
    timeouts: Timeouts,
    abort: asyncio.Event | None,
    first_byte: bool,
) -> Unknown | None:
    """Wait until `task` is done (None) or waiting ends: TIMEOUT or ABORTED. Leaves `task` alone."""
    loop = asyncio.get_running_loop()
    verdict: asyncio.Future[Unknown | None] = loop.create_future()

    def give_up(reason: Unknown | None) -> None:
        if not verdict.done():
            verdict.set_result(reason)

    def over(_task: asyncio.Task[Any]) -> None:
        give_up(None)

    def no_answer_yet() -> None:
        if not flight.answering:
            give_up(Unknown.TIMEOUT)

    granted = 0.0

    def out_of_time() -> None:
        """The time is up, unless some of it was spent on waiting for an answer of ours."""
        nonlocal granted
        more = flight.questions.seconds - granted
        if not flight.questions.are_open and more <= 0:
            give_up(Unknown.TIMEOUT)
            return
        granted += more
        timers.append(loop.call_later(max(more, QUESTION_LOOK), out_of_time))

    timers = [loop.call_later(timeouts.total, out_of_time)]
    if first_byte:
        timers.append(loop.call_later(timeouts.connect + timeouts.first_byte, no_answer_yet))
    stop_listening = _on_abort(abort, lambda: give_up(Unknown.ABORTED))
    task.add_done_callback(over)
    try:
        reason = await verdict
        return None if task.done() else reason
    finally:
        task.remove_done_callback(over)
        for timer in timers:
            timer.cancel()
        stop_listening()


def _on_abort(abort: asyncio.Event | None, call: Callable[[], None]) -> Callable[[], object]:
    """Call when the event is set; returns how to stop that."""
    if isinstance(abort, Abort):
        return abort.listen(call)
    if abort is None:
        return lambda: None

    async def watch(event: asyncio.Event) -> None:
        await event.wait()
        call()

    return asyncio.create_task(watch(abort)).cancel


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is gone; what it raised does not matter any more."""
    task.cancel()
    with contextlib.suppress(BaseException):
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


class Background:
    """Tasks that outlive the call which started them; a reference is kept until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Any) -> None:
        """Run the coroutine; it must handle its own errors."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what still runs."""
        for task in list(self._tasks):
            await stop(task)
