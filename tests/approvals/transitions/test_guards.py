"""Every guard of every transition: what does not hold is refused, and nothing is written."""

import pytest
from django.db import IntegrityError, connection, transaction

from approvals import transitions
from approvals.domain.errors import AuditBroken, AuthorityChanged, KillSwitchOn, StaleState
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import AuditEvent, Gate, Holder, Ticket, after_seconds
from tests.support import ledger

pytestmark = pytest.mark.both_engines
BY = "system:test"


@pytest.fixture
def cast(db):
    return ledger.a_cast()


def refused(error, act, row=None, /, **arguments):
    """`act` raises `error` and leaves the ticket and its chain as they were."""
    before = _written(row)
    with pytest.raises(error), transaction.atomic():
        act(**({"ticket_id": row.pk} if row else {}), **arguments)
    assert _written(row) == before


def done(act, ticket, **arguments):
    with transaction.atomic():
        return act(ticket_id=ticket.pk, **arguments)


def _written(ticket):
    if ticket is None:
        return None
    row = Ticket.objects.filter(pk=ticket.pk).values().get()
    return row, AuditEvent.objects.filter(subject=f"ticket:{ticket.uid}").count()


def kill():
    with transaction.atomic():
        transitions.set_kill(killed=True, person_id=None, actor=BY)


def bump():
    with transaction.atomic():
        return transitions.bump_epoch(actor=BY, because="policy").epoch


def let_lease_die(ticket):
    """The clock passes the lease: leases are the one column that moves without a version."""
    Ticket.objects.filter(pk=ticket.pk).update(lease_expires_at=after_seconds(-1))


def decided(ticket, **changes):
    return {"revision": ticket.revision, "digest": bytes(ticket.digest), "actor": BY, **changes}


def sending(ticket, **changes):
    return {
        "fence": ticket.fence,
        "digest": bytes(ticket.digest),
        "tool_digest": bytes(ticket.tool_digest),
        "upstream_digest": bytes(ticket.upstream_digest),
        "epoch": ticket.gate_epoch,
        "actor": BY,
        **changes,
    }


def claiming(ticket, **changes):
    return {
        "worker": "w",
        "lease_seconds": 30,
        "epoch": ticket.gate_epoch,
        "actor": BY,
        **changes,
    }


# -- opening ----------------------------------------------------------------------------------


def test_nothing_opens_while_the_kill_switch_is_on(cast):
    kill()
    ticket = ledger.an_unsaved_ticket(cast)
    refused(KillSwitchOn, transitions.open_pending, ticket=ticket, group_ids=[], actor=BY)
    assert not Ticket.objects.exists()


def test_nothing_opens_under_an_authority_that_changed(cast):
    ticket = ledger.an_unsaved_ticket(cast)
    bump()
    refused(AuthorityChanged, transitions.open_pending, ticket=ticket, group_ids=[], actor=BY)


def test_a_second_open_ticket_with_the_same_repeat_key_is_refused(cast):
    first = ledger.a_pending(cast)
    second = ledger.an_unsaved_ticket(cast, repeat_key=bytes(first.repeat_key))
    refused(IntegrityError, transitions.open_pending, ticket=second, group_ids=[], actor=BY)


def test_the_repeat_key_is_free_again_once_the_ticket_ended(cast):
    first = ledger.a_pending(cast)
    ledger.reject(first, cast.bob)
    ledger.a_pending(cast, repeat_key=bytes(first.repeat_key))


def test_a_grant_gives_exactly_as_many_uses_as_it_has(cast):
    grant = ledger.a_grant(cast, ledger.a_pending(cast), max_uses=2)
    arguments = {"group_ids": [], "grant_id": grant.pk, "execution_seconds": 60, "actor": BY}
    for _ in range(2):
        with transaction.atomic():
            ticket = transitions.open_by_grant(ticket=ledger.an_unsaved_ticket(cast), **arguments)
        assert ticket.state == State.APPROVED
        assert ticket.grant_id == grant.pk
    refused(
        StaleState, transitions.open_by_grant, ticket=ledger.an_unsaved_ticket(cast), **arguments
    )


@pytest.mark.parametrize(
    "pin",
    [
        {"tool_name": "other"},
        {"tool_digest": b"x" * 32},
        {"upstream_digest": b"x" * 32},
        {"agent_id": "018f0000-0000-7000-8000-000000000001"},
    ],
    ids=lambda pin: next(iter(pin)),
)
def test_a_grant_covers_no_call_that_differs_in_a_pin(cast, pin):
    grant = ledger.a_grant(cast, ledger.a_pending(cast))
    ticket = ledger.an_unsaved_ticket(cast, **pin)
    refused(
        StaleState,
        transitions.open_by_grant,
        ticket=ticket,
        group_ids=[],
        grant_id=grant.pk,
        execution_seconds=60,
        actor=BY,
    )


@pytest.mark.parametrize("how", ["revoked", "over"])
def test_a_grant_that_is_revoked_or_over_covers_nothing(cast, how):
    grant = ledger.a_grant(cast, ledger.a_pending(cast), seconds=-1 if how == "over" else 60)
    if how == "revoked":
        with transaction.atomic():
            transitions.revoke_grant(grant_id=grant.pk, person_id=None, actor=BY)
    refused(
        StaleState,
        transitions.open_by_grant,
        ticket=ledger.an_unsaved_ticket(cast),
        group_ids=[],
        grant_id=grant.pk,
        execution_seconds=60,
        actor=BY,
    )


# -- deciding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [transitions.approve, transitions.reject])
@pytest.mark.parametrize("changed", [{"digest": b"?" * 32}, {"revision": 2}], ids=str)
def test_a_decision_on_anything_but_what_was_seen_is_refused(cast, act, changed):
    ticket = ledger.a_pending(cast)
    extra = {"execution_seconds": 60} if act is transitions.approve else {"reason_payload_id": None}
    refused(StaleState, act, ticket, **decided(ticket, **changed), **extra)


def test_a_decision_after_the_deadline_is_refused(cast):
    ticket = ledger.a_pending(cast, approval_seconds=-1)
    refused(StaleState, transitions.approve, ticket, execution_seconds=60, **decided(ticket))
    refused(StaleState, transitions.reject, ticket, reason_payload_id=None, **decided(ticket))


def test_nothing_is_approved_while_the_kill_switch_is_on_but_it_may_be_rejected(cast):
    ticket = ledger.a_pending(cast)
    ledger.vote(ticket, cast.bob, "reject")
    kill()
    refused(KillSwitchOn, transitions.approve, ticket, execution_seconds=60, **decided(ticket))
    rejected = done(transitions.reject, ticket, reason_payload_id=None, **decided(ticket))
    assert rejected.state == State.REJECTED


def test_the_database_refuses_an_approval_that_nobody_voted_for(cast):
    ticket = ledger.a_pending(cast)
    refused(IntegrityError, transitions.approve, ticket, execution_seconds=60, **decided(ticket))


def test_a_vote_on_a_decided_ticket_is_refused(cast):
    ticket = ledger.an_approved(cast)
    with pytest.raises(StaleState):
        ledger.vote(ticket, cast.carol)


def test_an_approval_is_revoked_once_and_only_before_the_send(cast):
    approved, sent = ledger.an_approved(cast), ledger.a_sent(cast)
    done(transitions.revoke, approved, actor=BY)
    refused(StaleState, transitions.revoke, approved, actor=BY)
    refused(StaleState, transitions.revoke, sent, actor=BY)


# -- ending unsent ----------------------------------------------------------------------------


def test_only_what_is_over_expires(cast):
    refused(StaleState, transitions.expire, ledger.a_pending(cast), actor=BY)
    refused(StaleState, transitions.expire, ledger.an_approved(cast), actor=BY)
    refused(StaleState, transitions.expire, ledger.a_sent(cast), actor=BY)
    undecided = ledger.a_pending(cast, approval_seconds=-1)
    assert done(transitions.expire, undecided, actor=BY).state == State.EXPIRED
    unused = ledger.an_approved(cast, execution_seconds=-1)
    assert done(transitions.expire, unused, actor=BY).state == State.EXPIRED


@pytest.mark.parametrize("build", [ledger.a_pending, ledger.an_approved, ledger.a_claimed])
def test_whatever_was_not_sent_can_be_cancelled_and_any_claim_loses_its_fence(cast, build):
    ticket = build(cast)
    gone = done(transitions.cancel, ticket, reason=CancelReason.OPERATOR, actor=BY)
    assert gone.state == State.CANCELLED
    assert gone.cancel_reason == CancelReason.OPERATOR
    assert gone.fence == ticket.fence + 1
    refused(StaleState, transitions.cancel, ticket, reason=CancelReason.OPERATOR, actor=BY)
    refused(StaleState, transitions.send, ticket, **sending(ticket))


def test_what_was_sent_cannot_be_cancelled(cast):
    sent = ledger.a_sent(cast)
    refused(StaleState, transitions.cancel, sent, reason=CancelReason.OPERATOR, actor=BY)


# -- claiming ---------------------------------------------------------------------------------


def test_a_claim_under_the_kill_switch_or_a_changed_authority_is_refused(cast):
    ticket = ledger.an_approved(cast)
    epoch = bump()
    refused(AuthorityChanged, transitions.claim, ticket, **claiming(ticket))
    refused(AuthorityChanged, transitions.claim, ticket, **claiming(ticket, epoch=epoch))
    done(transitions.touch_epoch, ticket, epoch=epoch, actor=BY)
    kill()
    refused(KillSwitchOn, transitions.claim, ticket, **claiming(ticket, epoch=epoch))


def test_a_claim_without_a_live_approval_is_refused(cast):
    over = ledger.an_approved(cast, execution_seconds=-1)
    refused(StaleState, transitions.claim, over, **claiming(over))
    revoked = ledger.an_approved(cast)
    done(transitions.revoke, revoked, actor=BY)
    refused(StaleState, transitions.claim, revoked, **claiming(revoked))
    pending = ledger.a_pending(cast)
    refused(StaleState, transitions.claim, pending, **claiming(pending))


@pytest.mark.parametrize(
    ("waits", "may"),
    [
        ({"waiting": Waiting.TASK}, True),
        ({"waiting": Waiting.HANDED_OVER, "waits_until": after_seconds(60)}, True),
        ({"waiting": Waiting.HANDED_OVER, "waits_until": after_seconds(-1)}, False),
        ({"waiting": Waiting.HELD, "holder": 60}, True),
        ({"waiting": Waiting.HELD, "holder": -1}, False),
        ({"waiting": Waiting.HELD, "holder": None}, False),
        ({"waiting": Waiting.HELD, "holder": 60, "detached_at": after_seconds(-1)}, False),
    ],
    ids=str,
)
def test_a_claim_needs_somebody_who_still_waits(cast, waits, may):
    seconds = waits.get("holder")
    holder = None if seconds is None else ledger.a_holder(seconds)
    ticket = ledger.an_approved(cast, **{**waits, "holder": holder})
    if may:
        assert done(transitions.claim, ticket, **claiming(ticket)) == 1
    else:
        refused(StaleState, transitions.claim, ticket, **claiming(ticket))


def test_a_second_claim_is_refused(cast):
    ticket = ledger.a_claimed(cast)
    refused(StaleState, transitions.claim, ticket, **claiming(ticket))


def test_a_lease_is_renewed_only_by_its_fence_and_only_while_it_lives(cast):
    ticket = ledger.a_claimed(cast)
    before = _written(ticket)[1]
    done(transitions.renew_lease, ticket, fence=ticket.fence, lease_seconds=60)
    assert _written(ticket)[1] == before
    refused(StaleState, transitions.renew_lease, ticket, fence=ticket.fence + 1, lease_seconds=60)
    let_lease_die(ticket)
    refused(StaleState, transitions.renew_lease, ticket, fence=ticket.fence, lease_seconds=60)


# -- sending ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"fence": 7},
        {"digest": b"x" * 32},
        {"tool_digest": b"x" * 32},
        {"upstream_digest": b"x" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_send_of_anything_but_what_was_approved_and_claimed_is_refused(cast, changed):
    ticket = ledger.a_claimed(cast)
    refused(StaleState, transitions.send, ticket, **sending(ticket, **changed))


def test_a_send_without_a_claim_a_lease_or_a_live_approval_is_refused(cast):
    unclaimed = ledger.an_approved(cast)
    refused(StaleState, transitions.send, unclaimed, **sending(unclaimed))
    dead = ledger.a_claimed(cast)
    let_lease_die(dead)
    refused(StaleState, transitions.send, dead, **sending(dead))
    revoked = ledger.a_claimed(cast)
    done(transitions.revoke, revoked, actor=BY)
    refused(StaleState, transitions.send, revoked, **sending(revoked))
    twice = ledger.a_sent(cast)
    refused(StaleState, transitions.send, twice, **sending(twice))


def test_a_send_under_the_kill_switch_or_a_changed_authority_is_refused(cast):
    ticket = ledger.a_claimed(cast)
    epoch = bump()
    refused(AuthorityChanged, transitions.send, ticket, **sending(ticket))
    refused(AuthorityChanged, transitions.send, ticket, **sending(ticket, epoch=epoch))
    done(transitions.touch_epoch, ticket, epoch=epoch, actor=BY)
    kill()
    refused(KillSwitchOn, transitions.send, ticket, **sending(ticket, epoch=epoch))


def test_without_a_gate_row_nothing_runs(cast):
    ticket = ledger.a_claimed(cast)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE approvals_gate DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER approvals_gate_no_delete")
    Gate.objects.all().delete()
    refused(Gate.DoesNotExist, transitions.send, ticket, **sending(ticket))


# -- after the claim --------------------------------------------------------------------------


def test_a_claim_is_released_only_when_its_lease_is_dead_and_the_approval_lives(cast):
    ticket = ledger.a_claimed(cast)
    refused(StaleState, transitions.release, ticket, actor=BY)
    let_lease_die(ticket)
    released = done(transitions.release, ticket, actor=BY)
    assert (released.state, released.fence) == (State.APPROVED, ticket.fence + 1)
    refused(StaleState, transitions.send, ticket, **sending(ticket))


def test_only_an_idempotent_tool_is_retried_and_only_as_often_as_allowed(cast):
    once = ledger.a_sent(cast)
    let_lease_die(once)
    refused(StaleState, transitions.retry_sent, once, attempts_allowed=9, actor=BY)
    ticket = ledger.a_sent(cast, max_attempts=2)
    refused(StaleState, transitions.retry_sent, ticket, attempts_allowed=9, actor=BY)
    let_lease_die(ticket)
    refused(StaleState, transitions.retry_sent, ticket, attempts_allowed=1, actor=BY)
    again = done(transitions.retry_sent, ticket, attempts_allowed=9, actor=BY)
    assert (again.state, again.fence, again.attempts) == (State.APPROVED, ticket.fence + 1, 1)
    claimed = ledger.claim(again)
    refused(StaleState, transitions.send, claimed, **sending(claimed))
    last = ledger.send(claimed, attempts_allowed=9)
    assert last.attempts == 2
    let_lease_die(last)
    refused(StaleState, transitions.retry_sent, last, attempts_allowed=9, actor=BY)


def test_nothing_is_retried_under_the_kill_switch_or_after_an_abort(cast):
    ticket, aborted = (ledger.a_sent(cast, max_attempts=2) for _ in range(2))
    done(transitions.request_abort, aborted, actor=BY)
    refused(StaleState, transitions.request_abort, aborted, actor=BY)
    for row in (ticket, aborted):
        let_lease_die(row)
    refused(StaleState, transitions.retry_sent, aborted, attempts_allowed=9, actor=BY)
    kill()
    refused(KillSwitchOn, transitions.retry_sent, ticket, attempts_allowed=9, actor=BY)


def test_an_outcome_with_a_lost_fence_is_refused(cast):
    sent, claimed = ledger.a_sent(cast), ledger.a_claimed(cast)
    payload = ledger.a_payload().pk
    lost = {"fence": sent.fence - 1, "actor": BY}
    refused(StaleState, transitions.succeed, sent, result_payload_id=payload, **lost)
    refused(StaleState, transitions.fail_sent, sent, result_payload_id=payload, **lost)
    refused(StaleState, transitions.unknown, sent, reason=UnknownReason.EOF, **lost)
    refused(
        StaleState,
        transitions.fail_unsent,
        claimed,
        fence=claimed.fence - 1,
        reason_payload_id=payload,
        actor=BY,
    )


def test_the_sweeper_calls_an_outcome_unknown_only_when_the_lease_is_dead(cast):
    ticket = ledger.a_sent(cast)
    unknown = {"fence": None, "reason": UnknownReason.LEASE_LOST, "actor": BY}
    refused(StaleState, transitions.unknown, ticket, **unknown)
    let_lease_die(ticket)
    assert done(transitions.unknown, ticket, **unknown).state == State.OUTCOME_UNKNOWN


# -- waiting and notes ------------------------------------------------------------------------


def test_only_the_holder_that_holds_a_ticket_detaches_it_and_only_once(cast):
    holder, other = ledger.a_holder(), ledger.a_holder()
    ticket = ledger.a_pending(cast, waiting=Waiting.HELD, holder=holder)
    refused(StaleState, transitions.detach, ticket, holder_id=other.pk, actor=BY)
    refused(StaleState, transitions.detach, ticket, holder_id=None, actor=BY)
    assert done(transitions.detach, ticket, holder_id=holder.pk, actor=BY).detached_at
    refused(StaleState, transitions.detach, ticket, holder_id=holder.pk, actor=BY)


def test_the_sweeper_detaches_what_a_dead_process_held(cast):
    holder = ledger.a_holder()
    ticket = ledger.a_pending(cast, waiting=Waiting.HELD, holder=holder)
    Holder.objects.update(lease_expires_at=after_seconds(-1))
    assert done(transitions.detach, ticket, holder_id=None, actor=BY).detached_at


def test_a_handover_lapses_with_the_time_to_decide_while_pending_and_later_by_itself(cast):
    pending = ledger.a_pending(cast, approval_seconds=5, waiting=Waiting.HELD)
    moved = done(transitions.hand_over, pending, holder_id=None, waits_seconds=600, actor=BY)
    assert moved.waits_until == moved.approval_expires_at
    approved = ledger.an_approved(cast, approval_seconds=5)
    moved = done(transitions.hand_over, approved, holder_id=None, waits_seconds=600, actor=BY)
    assert moved.waits_until > moved.approval_expires_at


def test_attaching_again_ends_a_detachment_and_nobody_attaches_to_what_is_over(cast):
    holder = ledger.a_holder()
    ticket = ledger.a_pending(cast, waiting=Waiting.HELD, holder=holder)
    done(transitions.detach, ticket, holder_id=holder.pk, actor=BY)
    attach = {"waiting": Waiting.HELD, "holder_id": holder.pk, "actor": BY}
    assert done(transitions.attach_waiter, ticket, **attach).detached_at is None
    ledger.reject(ticket, cast.bob)
    refused(StaleState, transitions.attach_waiter, ticket, **attach)


def test_an_outcome_is_delivered_wound_up_and_annotated_once(cast):
    ticket = ledger.a_sent(cast)
    refused(StaleState, transitions.mark_delivered, ticket, actor=BY)
    refused(StaleState, transitions.wound_up, ticket, actor=BY)
    note = {"payload_id": ledger.a_payload().pk, "actor": BY}
    refused(StaleState, transitions.annotate, ticket, **note)
    done(transitions.unknown, ticket, fence=ticket.fence, reason=UnknownReason.TIMEOUT, actor=BY)
    for act, arguments in (
        (transitions.mark_delivered, {"actor": BY}),
        (transitions.wound_up, {"actor": BY}),
        (transitions.annotate, note),
    ):
        done(act, ticket, **arguments)
        refused(StaleState, act, ticket, **arguments)


def test_a_late_answer_is_kept_as_evidence_and_changes_no_outcome(cast):
    ticket = ledger.a_sent(cast)
    evidence = ledger.a_payload("{}", "evidence")
    refused(StaleState, transitions.late_answer, ticket, payload_id=evidence.pk, actor=BY)
    done(transitions.unknown, ticket, fence=ticket.fence, reason=UnknownReason.EOF, actor=BY)
    late = done(transitions.late_answer, ticket, payload_id=evidence.pk, actor=BY)
    assert late.state == State.OUTCOME_UNKNOWN
    assert late.result_id is None
    last = AuditEvent.objects.filter(subject=f"ticket:{ticket.uid}").latest("seq")
    assert last.detail["payloads"] == {str(evidence.pk): bytes(evidence.commitment).hex()}


def test_authority_is_never_taken_back_to_an_older_epoch(cast):
    ticket = ledger.a_pending(cast)
    refused(StaleState, transitions.touch_epoch, ticket, epoch=ticket.gate_epoch, actor=BY)


# -- the audit row belongs to the transition ---------------------------------------------------


def test_a_transition_whose_audit_row_cannot_be_written_did_not_happen(cast, monkeypatch):
    ticket = ledger.a_claimed(cast)

    def full(event):
        raise IntegrityError("the audit table takes no rows")

    monkeypatch.setattr("approvals.transitions.primitive.store", full)
    refused(IntegrityError, transitions.send, ticket, **sending(ticket))
    assert ledger.state_of(ticket) is State.CLAIMED


def test_a_ticket_whose_chain_does_not_add_up_moves_no_further(cast):
    ticket = ledger.a_claimed(cast)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE approvals_auditevent DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER approvals_auditevent_no_delete")
    AuditEvent.objects.filter(subject=f"ticket:{ticket.uid}").latest("seq").delete()
    refused(AuditBroken, transitions.send, ticket, **sending(ticket))


def test_nothing_moves_outside_a_transaction(real_db):
    cast = ledger.a_cast()
    ticket = ledger.a_claimed(cast)
    with pytest.raises(transaction.TransactionManagementError):
        transitions.send(ticket_id=ticket.pk, **sending(ticket))
    assert ledger.state_of(ticket) is State.CLAIMED


def test_a_send_costs_six_statements_and_a_row_lock_at_most(cast, django_assert_max_num_queries):
    ticket = ledger.a_claimed(cast)
    row_locks = 1 if connection.features.has_select_for_update else 0
    with transaction.atomic(), django_assert_max_num_queries(6 + row_locks):
        transitions.send(ticket_id=ticket.pk, **sending(ticket))
