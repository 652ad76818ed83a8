"""Executing one approved ticket: claim, prepare, commit `sent`, send, settle.

A crash at any line leaves a row from which the sweeper goes on: claimed and nothing sent, or
sent and the outcome unknown. Nothing here repeats a send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import transaction

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import (
    AuthorityChanged,
    CancelReason,
    Claim,
    Refusal,
    StaleState,
    UnknownReason,
)
from mcpbridge.catalog.catalog import CatalogTool, CatalogUnreadable, catalog
from mcpbridge.catalog.snapshot import load_source_at_epoch, load_tool
from mcpbridge.executor.lease import LeaseKeeper
from mcpbridge.executor.road import (
    Asked,
    Ended,
    Failure,
    Reply,
    Result,
    RpcError,
    Unknown,
    Unsent,
    make_call,
)
from mcpbridge.offload import in_database
from mcpbridge.questions import Answerer, Behalf
from mcpbridge.questions.person import ANSWERED_BY_PEOPLE
from mcpbridge.upstream.client import UpstreamSession
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.questions import Asking

logger = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 120.0  # how long an outcome is offered to a database that is away
RETRY_SECONDS: Final = 0.5
ROUNDS: Final = 5

_REASONS: Final = {
    Unknown.TIMEOUT: UnknownReason.TIMEOUT,
    Unknown.EOF: UnknownReason.EOF,
    Unknown.MALFORMED: UnknownReason.MALFORMED,
    Unknown.WRONG_ID: UnknownReason.MALFORMED,
    Unknown.OVERSIZE: UnknownReason.OVERSIZE,
    Unknown.ABORTED: UnknownReason.ABORTED,
}

_background: set[asyncio.Task[None]] = set()


async def run_ticket(uid: UUID, *, worker: str, stop: asyncio.Event | None = None) -> None:
    """Execute the ticket if it can be claimed; `stop` ends the call early as aborted."""
    claim = await in_database(ledger.claim, uid=uid, worker=worker)
    if claim is None:
        return
    async with LeaseKeeper(claim) as lease:
        watcher = asyncio.create_task(_pass_on(stop, lease.abort)) if stop else None
        try:
            await _execute(claim, lease)
        finally:
            if watcher is not None:
                watcher.cancel()


async def _pass_on(stop: asyncio.Event, abort: asyncio.Event) -> None:
    await stop.wait()
    abort.set()


async def _execute(claim: Claim, lease: LeaseKeeper) -> None:
    if claim.tool_name in ANSWERED_BY_PEOPLE:
        await _hand_over(claim, lease)
        return
    for _ in range(ROUNDS):
        prepared = await _prepare(claim)
        if prepared is None or lease.abort.is_set():
            return
        try:
            await in_database(
                ledger.record_send,
                claim,
                tool_digest=prepared.tool.digest,
                upstream_digest=prepared.tool.source.digest,
                epoch=prepared.epoch,
            )
        except AuthorityChanged:
            continue  # pins or upstreams may have changed as well: read them again
        except Refusal as refusal:
            _tell(claim, f"was not sent: {refusal.message}")
            return
        lease.sent()
        await _settle(claim, await _send(claim, prepared, lease.abort))
        return
    _tell(claim, "was not sent: authority kept changing")


async def _hand_over(claim: Claim, lease: LeaseKeeper) -> None:
    """Make what a person typed the outcome; whoever put the question passes it on from there."""
    for _ in range(ROUNDS):
        epoch, source = await in_database(load_source_at_epoch, claim.upstream_id)
        if source is None or source.digest != claim.upstream_digest:
            await in_database(_cancel_drifted, claim)
            return
        answer = await in_database(ledger.answer_of, claim.uid)
        if answer is None:
            await _settle(claim, Unsent("nobody typed an answer"))
            return
        if lease.abort.is_set():
            return
        try:
            await in_database(
                ledger.record_send,
                claim,
                tool_digest=claim.tool_digest,
                upstream_digest=source.digest,
                epoch=epoch,
            )
        except AuthorityChanged:
            continue
        except Refusal as refusal:
            _tell(claim, f"was not handed over: {refusal.message}")
            return
        lease.sent()
        await _persist(claim, ledger.settle_succeeded, answer)
        return
    _tell(claim, "was not handed over: authority kept changing")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """The approved tool as its rows stood at `epoch`, and a session to call it in."""

    epoch: int
    tool: CatalogTool
    session: UpstreamSession


async def _prepare(claim: Claim) -> _Prepared | None:
    """What the call needs; None when it cannot be made, which is then on record."""
    epoch, tool = await in_database(load_tool, claim.upstream_id, claim.tool_name)
    if tool is None or not _is_the_approved(tool, claim):
        await in_database(_cancel_drifted, claim)
        return None
    try:
        if await catalog().ensure_fresh(tool.source, agent_id=claim.agent_id):
            # The list had news, perhaps of this very tool.
            epoch, tool = await in_database(load_tool, claim.upstream_id, claim.tool_name)
            if tool is None or not _is_the_approved(tool, claim):
                await in_database(_cancel_drifted, claim)
                return None
        session = await catalog().session(tool.source, agent_id=claim.agent_id)
    except (CatalogUnreadable, UpstreamUnavailable) as error:
        await _settle(claim, Unsent(error.detail))
        return None
    return _Prepared(epoch=epoch, tool=tool, session=session)


def _is_the_approved(tool: CatalogTool, claim: Claim) -> bool:
    """Whether this is the tool that was approved, and its upstream still open to the team."""
    return (
        tool.digest == claim.tool_digest
        and tool.source.digest == claim.upstream_digest
        and claim.team_id in tool.source.team_ids
    )


def _cancel_drifted(claim: Claim) -> None:
    with transaction.atomic(durable=True):
        ledger.cancel_tickets(
            reason=CancelReason.DRIFT,
            actor=f"system:worker:{claim.worker}",
            uid=claim.uid,
        )


async def _send(claim: Claim, prepared: _Prepared, abort: asyncio.Event) -> Ended:
    def keep(reply: Reply) -> None:
        task = asyncio.create_task(_keep_evidence(claim, reply))
        _background.add(task)
        task.add_done_callback(_background.discard)

    try:
        ended = await make_call(
            prepared.session,
            prepared.tool,
            arguments=claim.arguments,
            meta={},
            on_late_reply=keep,
            abort=abort,
            asking=_asking(claim, prepared),
        )
    except asyncio.CancelledError:
        # The process is going away: say so as long as it can still be said.
        await asyncio.shield(_settle(claim, Failure(Unknown.ABORTED)))
        raise
    except Exception:
        logger.exception("A call broke off.", extra={"ticket": claim.uid})
        return Failure(Unknown.MALFORMED)
    return Failure(Unknown.MALFORMED) if isinstance(ended, Asked) else ended


def _asking(claim: Claim, prepared: _Prepared) -> Asking | None:
    """What a ticket's call may be asked: never an agent, since none is there.

    Questions that a modern upstream puts in the place of a result are not collected: to answer
    them would be a second send.
    """
    behalf = Behalf(
        upstream_id=claim.upstream_id,
        upstream_digest=claim.upstream_digest,
        agent_id=claim.agent_id,
        person_id=claim.person_id,
        ticket_uid=claim.uid,
    )
    return Answerer(prepared.session.spec.questions, behalf).asking(collects=False)


def _tell(claim: Claim, what: str) -> None:
    logger.info("Ticket %d %s", claim.number, what, extra={"ticket": claim.uid})


async def _keep_evidence(claim: Claim, reply: Reply) -> None:
    try:
        await in_database(ledger.late_answer, uid=claim.uid, evidence=reply.recorded())
    except (Refusal, DatabaseError):
        logger.warning(
            "A late answer could not be kept.", extra={"ticket": claim.uid}, exc_info=True
        )


async def _settle(claim: Claim, ended: Ended) -> None:
    """Record what came of the call, offering it again while the database is away."""
    match ended:
        case Result() if not ended.is_error:
            await _persist(claim, ledger.settle_succeeded, ended.recorded())
        case Result() | RpcError():
            await _persist(claim, ledger.settle_failed, ended.recorded())
        case Unsent():
            await _persist(claim, ledger.fail_unsent, ended.why)
        case Failure():
            await _persist(claim, ledger.settle_unknown, _REASONS[ended.reason])


async def _persist[T](claim: Claim, settle: Callable[[Claim, T], Any], what: T) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_SECONDS
    told = False
    while True:
        try:
            await in_database(settle, claim, what)
            return
        except StaleState:
            logger.warning(
                "Ticket %d was settled by somebody else; this answer is kept as evidence.",
                claim.number,
                extra={"ticket": claim.uid},
            )
            return
        except DatabaseError:
            if loop.time() > until:
                logger.exception(
                    "The outcome of ticket %d could not be recorded; the sweeper calls it unknown.",
                    claim.number,
                    extra={"ticket": claim.uid},
                )
                return
            if not told:
                logger.warning(
                    "The outcome of ticket %d cannot be recorded now.",
                    claim.number,
                    extra={"ticket": claim.uid},
                )
                told = True
            await asyncio.sleep(RETRY_SECONDS)
