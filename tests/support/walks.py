"""Random walks through the ledger, with a small idea of their own of what is allowed.

The machine drives the real services on a database that commits and compares after every step. Only
its clock is not real: it is the database's, put forward.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    run_state_machine_as_test,
)

from approvals import api
from approvals.audit.verification import verify
from approvals.domain.errors import AuditBroken, Refusal
from approvals.domain.states import CANCELLABLE, OPEN, TERMINAL, State, Waiting
from approvals.models import AuditEvent, Holder, Ticket, database_now
from approvals.services import decisions, editing, gate
from tests.support import builders
from tests.support.steps import Clock, step

LEASE, APPROVAL, EXECUTION, GRACE = 20, 100, 45, 30  # seconds
TOOL = "delete_file"


class Ledger(RuleBasedStateMachine):
    """Everybody who touches a ticket, in any order."""

    cast: builders.Cast  # one for all walks: people do not change
    calls = count()  # no call repeats one of an earlier walk
    focus: frozenset[str] = frozenset()  # the steps that are taken; empty: all
    _hypothesis_internal_use_seed: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.shifting = connection.execute_wrapper(self.clock)
        self.uids: list[Any] = []
        self.claims: list[api.Claim] = []
        self.votes: dict[Any, dict[str, api.Answer]] = {}
        self.sends: dict[Any, int] = {}
        self.ended: dict[Any, tuple[Any, ...]] = {}
        self.killed = False
        self.denied = False
        self.quorum = 1
        self.holder: Any = None
        self.number = 0

    @initialize(quorum=st.sampled_from([1, 2]))
    def begin(self, quorum: int) -> None:
        self.shifting.__enter__()
        self.quorum = quorum
        self._publish(deny=False)
        self.holder = api.start_holder()

    def teardown(self) -> None:
        # The next walk starts with nothing open: nobody is left, and every lease is dead.
        try:
            if self.killed:
                gate.unkill(user=self.cast.dora)
            self.clock.offset += 10_000
            api.sweep()
        finally:
            self.shifting.__exit__(None, None, None)

    # -- the agent ----------------------------------------------------------------------------

    @step(at_most=4, waiting=st.sampled_from(list(Waiting)), attempts=st.sampled_from([1, 1, 2]))
    def submits(self, waiting: Waiting, attempts: int) -> None:
        self.number += 1
        call = builders.a_call(
            self.cast,
            arguments=b'{"path":"%d"}' % next(self.calls),
            waiting=waiting,
            holder_id=self.holder if waiting is Waiting.HELD else None,
            grace_seconds=GRACE,
            max_attempts=attempts,
            max_open_tickets=1000,
        )
        submitted = self._try(lambda: api.submit(call=call, judgement=builders.judged(call)))
        if submitted is None:
            assert self.killed or self.denied
            return
        assert not self.killed, "a ticket was opened under the kill switch"
        assert not self.denied, "a ticket was opened although policy denies the call"
        assert submitted.kind in {"opened", "by_grant"}
        self.uids.append(submitted.ticket.uid)
        self.votes[submitted.ticket.uid] = {}

    @step(at_most=4, waiting=st.sampled_from(list(Waiting)), attempts=st.sampled_from([1, 1, 2]))
    def submits_and_is_approved(self, waiting: Waiting, attempts: int) -> None:
        before = len(self.uids)
        self.submits(waiting=waiting, attempts=attempts)
        if len(self.uids) > before:
            for name in ("bob", "carol")[: self.quorum]:
                self._vote(self.uids[-1], name, api.Answer.APPROVE)

    @step(needs="uids", data=st.data(), waiting=st.sampled_from(list(Waiting)))
    def comes_back(self, data: Any, waiting: Waiting) -> None:
        holder = self.holder if waiting is Waiting.HELD else None
        uid = self._any(data)
        self._try(
            lambda: api.attach(uid=uid, agent_id=self.cast.robo, waiting=waiting, holder_id=holder)
        )

    @step(
        needs="uids",
        data=st.data(),
        how=st.sampled_from(["detach", "hand_over", "withdraw", "delivered"]),
    )
    def leaves(self, data: Any, how: str) -> None:
        uid = self._any(data)
        acts: dict[str, Callable[[], object]] = {
            "detach": lambda: api.detach(uid=uid, holder_id=self.holder),
            "hand_over": lambda: api.hand_over(uid=uid, holder_id=self.holder),
            "withdraw": lambda: api.withdraw(uid=uid, agent_id=self.cast.robo),
            "delivered": lambda: api.mark_delivered(uid),
        }
        self._try(acts[how])

    @step()
    def web_process_renews(self) -> None:
        if not api.renew_holder(self.holder):
            self.holder = api.start_holder()

    # -- people -------------------------------------------------------------------------------

    @step(
        needs="uids",
        data=st.data(),
        name=st.sampled_from(["alice", "bob", "carol", "charlie"]),
        answer=st.sampled_from([api.Answer.APPROVE, api.Answer.APPROVE, api.Answer.REJECT]),
    )
    def votes_on(self, data: Any, name: str, answer: api.Answer) -> None:
        self._vote(self._any(data), name, answer)

    def _vote(self, uid: Any, name: str, answer: api.Answer) -> None:
        row = self._row(uid)
        self.number += 1
        decided = self._try(
            lambda: decisions.decide(
                uid=uid,
                user=getattr(self.cast, name),
                verdict=answer,
                seen_digest=bytes(row.digest),
                reason="",
                nonce=str(self.number),
            )
        )
        if decided is None:
            return
        assert name != "charlie", "a stranger voted"
        assert row.state == State.PENDING, "a vote counted after the decision"
        assert row.approval_expires_at > row.db_now, "a vote counted after the deadline"
        self.votes[uid][name] = answer
        if answer is api.Answer.APPROVE:
            assert name != "alice", "the owner's approval counted"
            assert not self.killed, "an approval counted under the kill switch"
        if decided.kind == "approved":
            assert self._approvals(uid) >= self.quorum, "approved by too few"
            assert api.Answer.REJECT not in self.votes[uid].values()

    @step(needs="uids", data=st.data(), name=st.sampled_from(["bob", "carol", "alice"]))
    def edits(self, data: Any, name: str) -> None:
        uid = self._any(data)
        row = self._row(uid)
        self.number += 1
        edited = self._try(
            lambda: editing.edit_arguments(
                uid=uid,
                user=getattr(self.cast, name),
                raw=b'{"path":"edited %d"}' % next(self.calls),
                seen_digest=bytes(row.digest),
                reason="",
                nonce=str(self.number),
            )
        )
        if edited is None:
            return
        assert name != "alice", "the owner edited the call"
        assert row.state == State.PENDING, "edited after the decision"
        assert not self.killed, "edited under the kill switch"
        assert not self.denied, "edited although policy denies the call"
        assert edited.ticket.revision == row.revision + 1
        assert edited.ticket.have == 0, "a vote on other arguments counts"
        self.votes[uid] = {}

    @step(needs="uids", data=st.data(), name=st.sampled_from(["bob", "carol"]))
    def takes_back(self, data: Any, name: str) -> None:
        uid = self._any(data)
        user = getattr(self.cast, name)
        self.number += 1
        act = lambda: decisions.withdraw_vote(uid=uid, user=user, nonce=str(self.number))  # noqa: E731
        if self._try(act) is not None:
            self.votes[uid].pop(name, None)

    @step(needs="uids", data=st.data(), how=st.sampled_from(["revoke", "cancel", "annotate"]))
    def intervenes(self, data: Any, how: str) -> None:
        uid, dora = self._any(data), self.cast.dora
        acts: dict[str, Callable[[], object]] = {
            "revoke": lambda: decisions.revoke_approval(uid=uid, user=self.cast.bob),
            "cancel": lambda: decisions.cancel_by_person(uid=uid, user=dora),
            "annotate": lambda: decisions.annotate_unknown(
                uid=uid, user=dora, ran=None, evidence="looked at the log"
            ),
        }
        self._try(acts[how])

    @step()
    def the_switch_is_turned(self) -> None:
        self.killed = not self.killed
        if not self.killed:
            gate.unkill(user=self.cast.dora)
            return
        gate.kill(user=self.cast.dora)
        for uid in self.uids:
            assert State(self._row(uid).state) not in CANCELLABLE, "alive after the kill"

    @step(deny=st.sampled_from([False, False, True]))
    def policy_changes(self, deny: bool) -> None:
        self._publish(deny=deny)

    # -- workers ------------------------------------------------------------------------------

    @property
    def approved(self) -> list[Any]:
        rows = Ticket.objects.filter(uid__in=self.uids, state=State.APPROVED)
        return list(rows.values_list("uid", flat=True))

    @step(needs="approved", worker=st.sampled_from(["w1", "w2"]))
    def worker_looks(self, worker: str) -> None:
        for uid in self.uids[-4:]:
            self._claim(uid, worker)

    def _claim(self, uid: Any, worker: str) -> None:
        row = self._row(uid)
        claim = self._try(lambda: api.claim(uid=uid, worker=worker))
        if claim is None:
            return
        assert not self.killed, "claimed under the kill switch"
        assert row.state == State.APPROVED, "claimed what nobody approved"
        assert row.execution_expires_at > row.db_now, "claimed after the time to execute"
        assert self._somebody_waited(row), "claimed although nobody waits"
        assert claim.fence == row.fence + 1, "claimed without a new fence"
        self.claims.append(claim)

    @step(needs="claims", hesitates=st.sampled_from([0, 25]))
    def workers_send(self, hesitates: int) -> None:
        self.clock.offset += hesitates
        for claim in self.claims[-3:]:
            self._send(claim)

    def _send(self, claim: api.Claim) -> None:
        row = self._row(claim.uid)

        def record() -> bool:
            api.record_send(
                claim,
                tool_digest=builders.TOOL_DIGEST,
                upstream_digest=builders.UPSTREAM_DIGEST,
                epoch=api.gate().epoch,
            )
            return True

        if self._try(record) is None:
            return
        assert not self.killed, "sent under the kill switch"
        assert row.state == State.CLAIMED, "sent without a claim"
        assert row.fence == claim.fence, "sent with a lost fence"
        assert row.lease_expires_at > row.db_now, "sent with a dead lease"
        assert row.execution_expires_at > row.db_now, "sent after the time to execute"
        assert row.revoked_at is None, "sent after the approval was revoked"
        assert self._approvals(claim.uid) >= self.quorum, "sent without enough approvals"
        self.sends[claim.uid] = self.sends.get(claim.uid, 0) + 1
        assert self.sends[claim.uid] <= row.max_attempts, "sent more often than allowed"

    @step(needs="claims", data=st.data(), how=st.sampled_from(["ok", "error", "unknown", "unsent"]))
    def settles(self, data: Any, how: str) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        row = self._row(claim.uid)
        acts: dict[str, Callable[[], object]] = {
            "ok": lambda: api.settle_succeeded(claim, builders.ANSWER),
            "error": lambda: api.settle_failed(claim, b'{"error":{"code":1,"message":"no"}}'),
            "unknown": lambda: api.settle_unknown(claim, api.UnknownReason.TIMEOUT),
            "unsent": lambda: api.fail_unsent(claim, "the upstream is away"),
        }
        self._try(lambda: acts[how]() or True)
        after = self._row(claim.uid)
        if after.state != row.state:
            assert row.fence == claim.fence, "settled with a lost fence"

    @step(needs="claims", data=st.data())
    def renews(self, data: Any) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        row = self._row(claim.uid)
        if api.renew(claim):
            assert row.fence == claim.fence
            assert row.lease_expires_at > row.db_now, "a dead lease was renewed"

    @step()
    def sweeps(self) -> None:
        self._sweep()

    @step(needs="claims", seconds=st.sampled_from([25, 40]))
    def a_worker_dies_and_the_sweeper_comes(self, seconds: int) -> None:
        self.clock.offset += seconds
        self._sweep()

    @step(needs="approved")
    def a_worker_sends_and_dies(self) -> None:
        self.worker_looks(worker="w1")
        self.workers_send(hesitates=0)
        self.a_worker_dies_and_the_sweeper_comes(seconds=25)

    def _sweep(self) -> None:
        before = {uid: self._row(uid) for uid in self.uids}
        api.sweep()
        for uid, row in before.items():
            now = self._row(uid).state
            if row.state == State.SENT and now != State.SENT:
                assert row.lease_expires_at <= row.db_now or row.abort_requested_at
                assert now == State.OUTCOME_UNKNOWN or row.max_attempts > 1, "rerun after a send"

    @step(needs="uids", seconds=st.sampled_from([25, 12, 60]))
    def time_passes(self, seconds: int) -> None:
        self.clock.offset += seconds

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def ends_are_final_and_every_write_is_recorded(self) -> None:
        rows = Ticket.objects.filter(uid__in=self.uids).values_list(
            "uid", "state", "version", "attempts", "result_id", "cancel_reason", "ended_at"
        )
        for uid, state, version, attempts, *outcome in rows:
            written = AuditEvent.objects.filter(subject=f"ticket:{uid}")
            assert written.count() == version, "a write without its audit row"
            assert attempts == self.sends.get(uid, 0), "a send that was not recorded as one"
            if uid in self.ended:
                assert (state, *outcome) == self.ended[uid], "a terminal state was left"
            elif State(state) in TERMINAL:
                self.ended[uid] = (state, *outcome)
            else:
                assert State(state) in OPEN

    @invariant()
    def agents_are_told_what_the_row_says(self) -> None:
        for uid in self.uids[-1:]:
            view, row = api.view(uid=uid, agent_id=self.cast.robo), self._row(uid)
            assert (view.state, view.version) == (row.state, row.version)
            assert (view.result is not None) == (row.result_id is not None)

    # -- helpers ------------------------------------------------------------------------------

    def _publish(self, *, deny: bool) -> None:
        self.denied = deny
        rules = [{"name": "no", "effect": "deny", "tool": TOOL}] if deny else []
        api.publish_policy(
            document={
                "rules": rules,
                "defaults": {
                    "quorum": self.quorum,
                    "approval_seconds": APPROVAL,
                    "execution_seconds": EXECUTION,
                },
            }
        )

    def _try(self, act: Callable[[], Any]) -> Any:
        """What `act` returns, or None when it was refused by name; anything else is a bug."""
        try:
            return act()
        except AuditBroken:
            raise
        except Refusal:
            return None

    def _any(self, data: Any) -> Any:
        return data.draw(st.sampled_from(self.uids[-4:]))

    def _row(self, uid: Any) -> Any:
        row: Any = Ticket.objects.select_related("holder").get(uid=uid)
        row.db_now = database_now()
        return row

    def _approvals(self, uid: Any) -> int:
        return sum(answer is api.Answer.APPROVE for answer in self.votes[uid].values())

    def _somebody_waited(self, row: Any) -> bool:
        if row.waiting == Waiting.TASK:
            return True
        if row.waiting == Waiting.HANDED_OVER:
            return bool(row.waits_until > row.db_now)
        holder: Holder | None = row.holder
        alive = holder is not None and holder.lease_expires_at > row.db_now
        return alive and row.detached_at is None


def walk(
    *,
    examples: int,
    steps: int = 30,
    focus: frozenset[str] = frozenset(),
    seeded: int | None = None,
) -> None:
    """Take `examples` walks of at most `steps` steps, all of them or those in `focus`.

    `seeded` says which walks; the same number, or none, gives the same ones.
    """
    Ledger.focus = focus
    Ledger._hypothesis_internal_use_seed = seeded  # what `hypothesis.seed` sets, and None unsets
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.generate,),
            database=None,
            derandomize=seeded is None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert [found for found in verify() if found.table != "triggers"] == []
